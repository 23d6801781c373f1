"""Compares a report of Ginkgo with the list of cases that are known to fail: judge.py REPORT LISTED"""

import json
import re
import sys


def main(report, listed):
    with open(listed, encoding="utf-8") as file:
        lines = (line.strip() for line in file if line.strip() and not line.startswith("#"))
        reasons = dict(line.split(" :: ", 1) for line in lines)
    with open(report, encoding="utf-8") as file:
        specs = [spec for suite in json.load(file) for spec in suite["SpecReports"]]
    ran = [spec for spec in specs if spec["State"] not in ("skipped", "pending") and spec["LeafNodeText"]]
    passed, known, wrong = 0, 0, []
    for spec in ran:
        name = " ".join(re.sub(r"\[[^\]]*\]", "", spec["LeafNodeText"]).split())
        fine = spec["State"] == "passed"
        if fine and name in reasons:
            wrong.append(f"PASSES: {name}\n    is listed: {reasons[name]}")
        elif fine:
            passed += 1
        elif name in reasons:
            known += 1
        else:
            message = spec.get("Failure", {}).get("Message", "")
            wrong.append(f"FAILS: {name}\n    {message[:600]}")
    print("\n".join(wrong))
    print(f"{passed} as upstream asks, {known} as listed, {len(wrong)} otherwise")
    return 0 if ran and not wrong else 1


sys.exit(main(*sys.argv[1:]))
