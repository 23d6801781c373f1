#!/usr/bin/env python3
"""Writes members.ndjson and events.ndjson: 200 made-up members and their day before Double 11.

The same seed writes the same files. Nothing needs this at run time; run it again after changing it.
"""

import json
import pathlib
import random

HERE = pathlib.Path(__file__).parent
SEED = 1111
MEMBERS = 200
EVENTS = 600
STORES = [("bkk-01", 5), ("bkk-02", 3), ("cnx-01", 2)]
PRODUCTS = [
    ("TEA-01", "tea", "hillside", 180),
    ("TEA-02", "tea", "hillside", 240),
    ("COF-01", "coffee", "morning", 320),
    ("COF-02", "coffee", "morning", 450),
    ("MUG-01", "home", "clay", 390),
    ("POT-01", "home", "clay", 1250),
    ("BAG-01", "fashion", "canvas", 890),
]


def pick(rng, weighted):
    return rng.choices([value for value, _ in weighted], [weight for _, weight in weighted])[0]


def member(rng, number):
    tags = [tag for tag, share in (("coffee", 0.4), ("tea", 0.3), ("newsletter", 0.5)) if rng.random() < share]
    if number > MEMBERS - 8:
        tags.append("staff")
    return {
        "id": f"m{number:04}",
        "attributes": {
            "tier": pick(rng, [("silver", 6), ("gold", 3), ("platinum", 1)]),
            "city": pick(rng, [("Bangkok", 6), ("Chiang Mai", 3), ("Phuket", 1)]),
            "birthDate": f"{rng.randint(1960, 2006)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
        },
        "tags": tags,
        "identities": [
            {"type": "phone", "value": f"+6680{number:07}"},
            {"type": "email", "value": f"m{number:04}@example.com"},
        ],
    }


def order(rng, number, store):
    lines = []
    for line, (sku, category, brand, price) in enumerate(rng.sample(PRODUCTS, rng.randint(1, 3)), start=1):
        lines.append(
            {
                "id": str(line),
                "sku": sku,
                "quantity": rng.randint(1, 2),
                "unitPrice": f"{price}.00",
                "category": category,
                "brand": brand,
            }
        )
    total = sum(line["quantity"] * int(float(line["unitPrice"])) for line in lines)
    return {
        "orderId": f"D10-{number:05}",
        "total": f"{total}.00",
        "currency": "THB",
        "storeId": store,
        "channel": pick(rng, [("pos", 7), ("miniProgram", 3)]),
        "lines": lines,
    }


def event(rng, number, second):
    store = pick(rng, STORES)
    kind = pick(rng, [("store.visited", 5), ("order.paid", 4), ("campaign.viewed", 3), ("cart.abandoned", 1)])
    data = {"storeId": store}
    if kind == "order.paid":
        data = order(rng, number, store)
    elif kind == "campaign.viewed":
        data = {"campaign": "double-11"}
    return {
        "specversion": "1.0",
        "id": f"demo-{number:05}",
        "source": "//demo.example/day-before",
        "type": kind,
        "subject": f"m{rng.randint(1, MEMBERS):04}",
        "time": f"2026-11-10T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}+07:00",
        "datacontenttype": "application/json",
        "data": data,
    }


def write(name, rows):
    text = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
    (HERE / name).write_text(text, encoding="utf-8")


def main():
    rng = random.Random(SEED)
    write("members.ndjson", [member(rng, number) for number in range(1, MEMBERS + 1)])
    seconds = sorted(rng.randint(8 * 3600, 23 * 3600) for _ in range(EVENTS))
    write("events.ndjson", [event(rng, number, second) for number, second in enumerate(seconds, start=1)])


if __name__ == "__main__":
    main()
