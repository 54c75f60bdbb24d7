import pytest

from dashboard.agreement import agreements, cohens_kappa, overall


def test_kappa_of_a_table_worked_by_hand() -> None:
    # 20 and 15 agreed, 5 and 10 did not: observed .7, by chance .5 x .6 + .5 x .4 = .5
    pairs = [("a", "a")] * 20 + [("a", "b")] * 5 + [("b", "a")] * 10 + [("b", "b")] * 15
    assert cohens_kappa(pairs) == pytest.approx(0.4)


def test_kappa_is_one_for_equals_and_unknown_where_chance_always_agrees() -> None:
    assert cohens_kappa([("a", "a"), ("b", "b")]) == 1
    assert cohens_kappa([("a", "a")] * 5) is None
    assert cohens_kappa([]) is None


def test_pairs_are_kept_apart_and_weighted_by_their_items() -> None:
    rows = [("ana", "ben", "a", "a"), ("ana", "ben", "b", "b"), ("ana", "cy", "a", "b"), ("ana", "cy", "b", "a")]
    found = agreements(rows)
    assert [(one.second, one.items, one.same, one.kappa) for one in found] == [("ben", 2, 2, 1), ("cy", 2, 0, -1)]
    assert overall(found) == 0
    assert overall([]) is None
