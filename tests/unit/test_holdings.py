import pytest

from dashboard.holdings import read_holdings

KNOWN = {"apple": "apple", "aapl": "apple", "ba": "boeing", "boeing": "boeing", "alphabet, inc.": "alphabet", "goog": "alphabet"}


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("Apple\nBA", {"apple": 1, "boeing": 1}),
        ("AAPL, 2.5\nBoeing;3".replace(";", ", "), {"apple": 2.5, "boeing": 3}),
        ("\ufeffTicker;Name;Weight %\nAAPL;Apple;12,5\nBA;Boeing;1.200,0", {"apple": 12.5, "boeing": 1200}),
        ("symbol\tmarket value\nGOOG\t$1,250,000\nBA\t20\nBA\t5", {"alphabet": 1_250_000, "boeing": 25}),
        ('name,quantity\n"Alphabet, Inc.",7', {"alphabet": 7}),
        ("Alphabet, Inc.", {"alphabet": 1}),
    ],
)
def test_what_people_paste_is_understood(text: str, weights: dict[str, float]) -> None:
    found = read_holdings(text, KNOWN)
    assert found.weights == weights
    assert found.unknown == []


def test_what_is_not_understood_is_named_with_its_line() -> None:
    found = read_holdings("Apple, -1\n\nNobody Ltd\nBA", KNOWN)
    assert found.weights == {"boeing": 1}
    assert found.unknown == [(1, "Apple: a weight above 0 is needed"), (3, "Nobody Ltd")]
    assert read_holdings("", KNOWN).weights == {}
