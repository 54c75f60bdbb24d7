"""Texts that are changed so that their labels still hold."""

import random

from hypothesis import given
from hypothesis import strategies as st

from pipelines.training.augment import AMOUNT, cashtags_of, edited, scaled_amounts, swapped, thinned, varied
from pipelines.training.datasets import SENTIMENTS, Row

NEGATIVE, POSITIVE = SENTIMENTS.index("negative"), SENTIMENTS.index("positive")


def row(text: str, label: int = 0, *, name: str = "", disagreeing: bool = False) -> Row:
    start = text.index(name)
    spans = ((start, start + len(name)),) if name else ()
    return Row("sentfin", "7", text, "sentiment", label, spans, 1.0, disagreeing)


def test_companies_that_disagree_change_places_and_get_the_others_label() -> None:
    text = "Corvo slips while Halden Russell gains, Corvo says"
    rows = [row(text, NEGATIVE, name="Corvo", disagreeing=True), row(text, POSITIVE, name="Halden Russell", disagreeing=True)]
    found = swapped(rows)
    assert {one.text for one in found} == {"Halden Russell slips while Corvo gains, Corvo says"}
    marked = {one.text[slice(*one.spans[0])]: one.label for one in found}
    assert marked == {"Halden Russell": NEGATIVE, "Corvo": POSITIVE}
    assert not {one.key for one in found} & {one.key for one in rows}


def test_companies_that_agree_overlap_or_stand_alone_stay() -> None:
    text = "Corvo Foods slips, Corvo and Halden gain"
    alone = row(text, NEGATIVE, name="Corvo Foods", disagreeing=True)
    within = row(text, POSITIVE, name="Corvo", disagreeing=True)
    same = row(text, NEGATIVE, name="Halden", disagreeing=True)
    agreeing = [row(text, label, name=name) for label, name in ((NEGATIVE, "Corvo"), (POSITIVE, "Halden"))]
    assert swapped([alone]) == swapped([alone, within]) == swapped([alone, same]) == swapped(agreeing) == []


def test_spans_move_with_an_edit_and_take_in_one_that_they_end_in() -> None:
    text, spans = edited("a 12 b 34 c", [((7, 9), "3"), ((2, 4), "1234")], [(0, 1), (2, 4), (5, 6), (8, 11), (4, 7)])
    assert text == "a 1234 b 3 c"
    assert [text[slice(*span)] for span in spans] == ["a", "1234", "b", "3 c", " b "]


def test_amounts_grow_in_proportion_and_other_figures_stay() -> None:
    text = "2015: Q3 profit of 3i fell to EUR 2.1 mn from 3.4mn, up 5 % on $7; 1,250.5 units of 10-K, v2.0"
    edits = scaled_amounts(text, 2.0)
    assert edited(text, edits, [])[0] == (
        "2015: Q3 profit of 3i fell to EUR 4.2 mn from 6.8mn, up 10 % on $14; 1,250.5 units of 10-K, v2.0"
    )


@given(st.lists(st.decimals(0, 99, places=1) | st.decimals(0, 99, places=2), max_size=5), st.floats(1, 3))
def test_amounts_keep_their_order(amounts: list[object], factor: float) -> None:
    text = " then ".join(f"{amount}%" for amount in amounts)
    new, _ = edited(text, scaled_amounts(text, factor), [])
    before, after = ([float(match.group()) for match in AMOUNT.finditer(one)] for one in (text, new))
    assert len(before) == len(after)
    assert all((a < b) == (c < d) for a, c in zip(before, after, strict=True) for b, d in zip(before, after, strict=True))


def test_a_ticker_is_replaced_wherever_it_stands_and_the_mark_moves_along() -> None:
    tweet = Row("tfns_sentiment", "1", "$CRV up 2.5%, $HLD flat; $CRV!", "sentiment", POSITIVE, ((0, 4), (14, 18), (25, 29)), 0.5)
    others = cashtags_of([row("$LONGER $A $B and $A $1")])
    assert others == ["$A", "$B", "$LONGER"]
    rng = random.Random(3)
    for _ in range(20):
        found = varied(tweet, rng, others)
        names = [found.text[slice(*span)] for span in found.spans]
        assert names[0] == names[2] != names[1]
        assert set(names) <= set(others)
        assert (found.label, found.task, found.key) == (tweet.label, tweet.task, tweet.key)
    assert varied(row("nothing to change"), rng, others) == row("nothing to change")


def test_a_thinned_row_keeps_its_company_and_loses_up_to_the_share_of_its_words() -> None:
    text = "In Norway, Kestrel Mills' dairy arm is left holding the bag over freight"
    whole = row(text, NEGATIVE, name="Kestrel Mills")
    rng = random.Random(1)
    made = [thinned(whole, rng, 0.6) for _ in range(500)]
    for one in made:
        assert one.text[slice(*one.spans[0])] == "Kestrel Mills"
        assert set(one.text.split()) <= set(text.split())
    kept = sum(len(one.text.split()) for one in made) / (500 * len(text.split()))
    assert 0.7 < kept < 0.8, "a share of 0 to 0.6 of all words but the company's is left out, so 0.3 in the mean"
    assert {one.text for one in made} >= {text}
    assert thinned(whole, rng, 0.0) == whole
