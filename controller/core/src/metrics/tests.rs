use super::*;

#[test]
fn rates_and_ratios_round_half_up_and_vanish_over_nothing() {
    for (part, whole, expect) in [
        (123, 1_000, Some("12.3%")),
        (1, 3, Some("33.3%")),
        (2, 3, Some("66.7%")),
        (1, 2, Some("50%")),
        (1, 2_000, Some("0.1%")),
        (0, 5, Some("0%")),
        (7, 5, Some("140%")),
        (1, 0, None),
    ] {
        assert_eq!(rate(part, whole).as_deref(), expect, "{part}/{whole}");
    }
    for (over, under, expect) in [(7, 2, Some("3.5")), (-7, 2, Some("-3.5")), (-1, 20, Some("-0.1")), (1, 0, None)] {
        assert_eq!(ratio(over, under).as_deref(), expect, "{over}/{under}");
    }
    assert_eq!(ratio(i64::MAX, 1).as_deref(), Some("9223372036854775807"));
}

#[test]
fn averages_and_return_on_investment() {
    assert_eq!(average(Minor(1_001), 2), Some(Minor(501)));
    assert_eq!(average(Minor(1_001), 0), None);
    for (revenue, margin, cost, expect) in [
        (45_000, 10_000, 10_000, Some("3.5")),
        (45_000, 5_000, 10_000, Some("1.3")),
        (0, 10_000, 10_000, Some("-1")),
        (100, 10_000, 0, None),
    ] {
        assert_eq!(roi(Minor(revenue), BasisPoints(margin), Minor(cost)).as_deref(), expect);
    }
}

#[test]
fn a_hundred_percent_means_reached() {
    for (current, target, expect) in
        [(999, 1_000, 99), (1_000, 1_000, 100), (5_000, 1_000, 100), (-5, 10, 0), (0, 0, 100)]
    {
        assert_eq!(reached(current, target), expect, "{current}/{target}");
    }
}
