from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.scopes import company_scope, parse_scope, scope_name, topic_slug
from streams.logic.mood import Cell, Change, Contribution, Sums, moves, parts_of

MINUTE = datetime(2015, 3, 2, 14, 31, tzinfo=UTC)
HALF = Contribution("boeing", "industrials", "M&A | Investments", 700_001, 100_000, 450_000, 333_333, 500_000, False)

contributions = st.builds(
    Contribution,
    company_id=st.sampled_from(["boeing", "apple", None]),
    sector=st.sampled_from(["industrials", "technology", None]),
    topic=st.sampled_from(["M&A | Investments", "Earnings"]),
    negative=st.integers(0, 1_000_000),
    positive=st.integers(0, 1_000_000),
    weight=st.integers(0, 1_000_000),
    share=st.integers(0, 1_000_000),
    sector_share=st.integers(0, 1_000_000),
    withdrawn=st.booleans(),
)


def test_a_mention_counts_whole_for_its_company_and_in_parts_for_what_is_wider() -> None:
    parts = dict(parts_of(HALF))
    assert parts["company:boeing"] == Sums(1, 1_000_000, 700_001, 100_000, 450_000, 315_000, 45_000)
    assert parts["company:boeing/topic:m-a-investments"] == parts["company:boeing"]
    assert parts["sector:industrials"] == Sums(1, 500_000, 350_000, 50_000, 225_000, 157_500, 22_500)
    assert parts["market"] == Sums(1, 333_333, 233_333, 33_333, 149_999, 105_000, 14_999)
    assert parts["topic:m-a-investments"] == parts["market"]
    assert len(parts) == 5


def test_an_article_about_nobody_counts_for_its_topic_and_the_market() -> None:
    nobody = HALF._replace(company_id=None, sector=None)
    assert [scope for scope, _ in parts_of(nobody)] == ["topic:m-a-investments", "market"]


def test_a_withdrawn_mention_takes_back_all_it_brought() -> None:
    changes = [Change(MINUTE, False, None, HALF), Change(MINUTE, False, HALF, HALF._replace(withdrawn=True))]
    assert moves(changes) == []


def test_rows_come_in_the_order_of_their_keys() -> None:
    later = MINUTE.replace(minute=59)
    cells = [cell for cell, _ in moves([Change(later, True, None, HALF), Change(MINUTE, False, None, HALF)])]
    assert cells == sorted(cells)
    assert cells[0] == Cell("company:boeing", MINUTE, False)


@given(st.lists(contributions, max_size=6), st.lists(contributions, max_size=6))
def test_replacing_moves_exactly_by_new_less_old(before: list[Contribution], after: list[Contribution]) -> None:
    pairs = list(zip(before, after, strict=False))
    first = moves(Change(MINUTE, False, None, old) for old, _ in pairs)
    second = moves(Change(MINUTE, False, old, new) for old, new in pairs)
    total = dict(first)
    for cell, sums in second:
        total[cell] = total.get(cell, Sums()).plus(sums)
    fresh = dict(moves(Change(MINUTE, False, None, new) for _, new in pairs))
    assert {cell: sums for cell, sums in total.items() if any(sums)} == fresh


@pytest.mark.parametrize(
    ("label", "slug"),
    [
        ("M&A | Investments", "m-a-investments"),
        ("Fed | Central Banks", "fed-central-banks"),
        ("  IPO ", "ipo"),
        ("Gold|Oil", "gold-oil"),
    ],
)
def test_topics_are_written_as_slugs(label: str, slug: str) -> None:
    assert topic_slug(label) == slug
    assert topic_slug(slug) == slug


def test_scopes_have_names_for_people() -> None:
    companies, topics = {"meta-platforms": "Facebook"}, {"m-a-investments": "M&A | Investments"}
    assert scope_name("company:meta-platforms", companies, topics) == "Facebook"
    assert scope_name("company:meta-platforms/topic:m-a-investments", companies, topics) == "Facebook · M&A / Investments"
    assert scope_name("company:unheard-of", companies, topics) == "Unheard of"
    assert scope_name("sector:health-care", companies, topics) == "Health Care"
    assert scope_name("market", companies, topics) == "Market"


def test_scopes_are_taken_apart() -> None:
    assert parse_scope(company_scope("ibm", "ipo")) == ("company/topic", "ibm", None, "ipo")
    assert parse_scope("sector:energy").sector == "energy"
    for wrong in ("", "company:", "company:x/topic:", "planet:mars"):
        with pytest.raises(ValueError, match="is no scope"):
            parse_scope(wrong)
