import itertools

import pytest

from squall.records import MILLION
from squall.scopes import Kind
from streams.logic.arrivals import Item, arrivals_of
from streams.logic.detection import mark_of
from streams.logic.mood import Contribution

ALL: tuple[Kind, ...] = ("company", "company/topic", "sector", "topic", "market")

MARK = mark_of(0.5, 0.8)
"""Of `item`."""


def item(
    article: str, story: str, minute: int = 0, company: str | None = "boeing", *, negative: float = 0.8, share: float = 1.0
) -> Item:
    part = int(share * MILLION)
    contribution = Contribution(
        company, "industrials" if company else None, "Stock Movement", int(negative * MILLION), 0, MILLION // 2, part, part, False
    )
    return Item(minute, article, story, contribution)


def test_a_story_counts_once_in_a_scope_by_its_first_article() -> None:
    found = arrivals_of([item("a", "s"), item("b", "s", 1, negative=0.9), item("c", "t", 1)], (), ALL)
    assert found[0]["company:boeing"].marks == (MARK,)
    assert found[1]["company:boeing"].marks == (MARK,)
    assert found[1]["company:boeing"].mentions == 2
    assert found[1]["company:boeing"].items == 1
    assert found[0]["company:boeing"].sector == "industrials"


def test_a_story_is_new_to_a_company_that_its_copies_name_first() -> None:
    found = arrivals_of([item("a", "s"), item("b", "s", 1, "airbus")], (), ALL)
    assert found[1]["company:airbus"].marks == (MARK,)
    assert found[1]["market"].marks == ()
    assert found[1]["market"].mentions == 1


def test_the_companies_of_one_article_share_it_in_wider_scopes() -> None:
    both = [item("a", "s", share=0.5), item("a", "s", company="airbus", share=0.5)]
    [market] = [arrivals_of(both, (), ALL[4:])[0]["market"]]
    assert market.marks == pytest.approx((MARK,))
    assert market.items == 1
    assert market.mentions == 2


def test_a_mark_rises_with_weight_and_odds_and_is_symmetric_about_even_odds() -> None:
    assert [mark_of(1.0, negative) for negative in (0.0, 0.5, 1.0)] == [0.0, 0.5, 1.0]
    assert mark_of(0.25, 1.0) == 0.5
    assert mark_of(0.0, 1.0) == 0.0
    grid = [0.01 * step for step in range(101)]
    for one, other in itertools.pairwise(grid):
        assert 0 <= mark_of(0.7, one) < mark_of(0.7, other) <= 1
        assert mark_of(1.0, one) + mark_of(1.0, 1 - one) == pytest.approx(1, abs=2e-6)
    assert mark_of(1.0, 0.2) < 0.2 < 0.8 < mark_of(1.0, 0.8), "what is unsure tells less, what is sure more"


def test_what_came_before_the_chunk_is_known() -> None:
    whole = [item(f"a{n}", f"s{n % 3}", n, ("boeing", "airbus")[n % 2]) for n in range(9)]
    one = arrivals_of(whole, (), ALL)
    for cut in range(1, 9):
        early = arrivals_of(whole[:cut], (), ALL)
        seen = {(scope, f"s{n % 3}") for n in range(cut) for scope in itertools.chain(*(minute for minute in [one[n]]))}
        assert early | arrivals_of(whole[cut:], seen, ALL) == one


def test_only_the_kinds_wanted_come() -> None:
    assert set(arrivals_of([item("a", "s")], (), ALL[::4])[0]) == {"company:boeing", "market"}


def test_tone_and_topics_are_those_of_new_stories() -> None:
    other = item("b", "t", negative=0.2)
    legal = other._replace(contribution=other.contribution._replace(topic="Legal"))
    found = arrivals_of([item("a", "s"), legal, item("c", "t", negative=0.9)], (), ALL)[0]["company:boeing"]
    assert found.squares == pytest.approx(0.8**2 + 0.2**2)
    assert found.topics == (("Legal", 1.0), ("Stock Movement", 1.0))
