from hypothesis import given
from hypothesis import strategies as st

from pipelines.training.near_copies import near_groups, near_pairs, token_set

TEXTS = st.lists(st.lists(st.sampled_from("abcdefghij"), max_size=9).map(" ".join), max_size=12)


@given(TEXTS, TEXTS)
def test_prefix_filtering_finds_exactly_what_comparing_all_pairs_finds(left: list[str], right: list[str]) -> None:
    def similar(a: str, b: str) -> bool:
        one, other = token_set(a), token_set(b)
        return bool(one) and bool(other) and 5 * len(one & other) >= 4 * len(one | other)

    expected = {(i, j) for i, a in enumerate(left) for j, b in enumerate(right) if similar(a, b)}
    assert set(near_pairs(left, right)) == expected


def test_case_and_urls_make_no_difference() -> None:
    assert token_set("Kestrel FALLS https://example.org/x") == token_set("kestrel falls")


def test_groups_are_transitive() -> None:
    chain = ["a b c d e", "a b c d e f", "a b c d e f g", "z y x"]
    groups = near_groups(chain)
    assert groups[0] == groups[1] == groups[2] != groups[3]
    assert near_groups(["", "", "a"])[0] == near_groups(["", "", "a"])[1]
