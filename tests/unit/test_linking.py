"""Which companies a text names, where, and how much it is about each."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.linking import DEVELOPMENT, HELD_OUT, measure
from squall.companies import load_companies
from streams.logic.linking import Link, Linker, article_text

LINKER = Linker(load_companies(None))
THEN = datetime(2019, 5, 6, 14, tzinfo=UTC)


def ids(title: str, body: str = "", tickers: tuple[str, ...] = (), at: datetime = THEN) -> set[str]:
    return {link.company_id for link in LINKER.link(title, body, tickers, at)}


def named(title: str, body: str = "", at: datetime = THEN) -> dict[str, str | None]:
    text = article_text(title, body)
    return {link.company_id: text[slice(*link.span)] if link.span else None for link in LINKER.link(title, body, (), at)}


@pytest.mark.parametrize("half", [DEVELOPMENT, HELD_OUT], ids=["development", "held-out"])
def test_precision_and_recall_on_the_labelled_sentences(half: object) -> None:
    figures = measure(HELD_OUT if half == HELD_OUT else DEVELOPMENT)
    assert figures["linking_sentences"] >= 85
    assert figures["linking_precision"] >= 0.95
    assert figures["linking_recall"] >= 0.95


@pytest.mark.parametrize(
    ("text", "companies"),
    [
        ("Paid $20 for lunch, down from $25B last year", {}),
        ("$aapl and $T, but not $t", {"apple": "$aapl", "att": "$T"}),
        ("$BRK.B is cheap; $BRK/A dear", {"berkshire-hathaway": "$BRK.B"}),
        ("$SPX and $ES_F futures", {}),
        ("Results are out (NYSE: F)", {"ford": "NYSE: F"}),
        ("The group (LON:BA) wins an order", {"bae-systems": "LON:BA"}),
        ("The planemaker (NYSE:BA) wins an order", {"boeing": "NYSE:BA"}),
        ("Quarter in line (MSFT.O)", {"microsoft": "MSFT.O"}),
        ("Departures: Frankfurt (FRA), Schiphol (AMS)", {}),
        ("MSFT falls, says trader", {"microsoft": "MSFT"}),
        ("ALL EYES ON IT, CAT AND KEY DATA NOW", {}),
        ("AT&amp;T\u2019s outlook", {"att": "AT&amp;T"}),
        ("Nestle\u0301 and Estée Lauder rise", {"nestle": "Nestle\u0301", "estee-lauder": "Estée Lauder"}),
        ("visit apple.com or facebook.com/apple today", {}),
        ("Dell'Oro counts routers", {}),
        ("Governor Lowe's speech on rates", {}),
        ("Yields up 25 BP", {}),
        ("non-Google searches", {"alphabet": "Google"}),
        ("Bank of America Merrill Lynch hires", {"bank-of-america": "Bank of America Merrill Lynch"}),
        ("Merck KGaA rises", {"merck-kgaa": "Merck KGaA"}),
        ("", {}),
    ],
)
def test_what_is_found_and_where(text: str, companies: dict[str, str]) -> None:
    assert named(text) == companies


def test_spans_refer_to_title_and_body_together() -> None:
    assert named("Chip stocks rally", "Shares of Nvidia rose 4%.") == {"nvidia": "Nvidia"}
    assert named("A word from the General", "Electric bills are cheaper") == {}


def test_names_and_tickers_are_resolved_as_of_the_event_time() -> None:
    assert ids("$FB and $META", at=datetime(2015, 1, 2, tzinfo=UTC)) == {"meta-platforms"}
    assert ids("$FB", at=datetime(2022, 6, 9, tzinfo=UTC)) == set()
    assert ids("Alphabet shares rise", at=datetime(2015, 8, 9, tzinfo=UTC)) == set()
    assert ids("Alphabet shares rise", at=datetime(2015, 8, 10, tzinfo=UTC)) == {"alphabet"}
    assert ids("Results of the social network", tickers=("FB",), at=datetime(2012, 7, 27, tzinfo=UTC)) == {"meta-platforms"}


def test_a_hint_links_without_a_span_and_lends_weight_to_an_ambiguous_name() -> None:
    assert LINKER.link("Results are out", "", ("$AAPL", "NOSUCH"), THEN) == [Link("apple", 40, None)]
    assert ids("Back to the Gap") == set()
    assert LINKER.link("Back to Gap", "", ("GPS",), THEN)[0].span == (8, 11)


def test_a_name_that_is_a_word_is_taken_where_the_text_names_the_company_in_full() -> None:
    assert ids("Shell company found empty") == set()
    assert named("Royal Dutch Shell sells fields", "For Shell it is the second sale.") == {"shell": "Royal Dutch Shell"}


def test_the_bank_that_rates_matters_less_than_the_company_rated() -> None:
    first, second = LINKER.link("Goldman Sachs cuts Tesla to sell", "", (), THEN)
    assert (first.company_id, second.company_id) == ("tesla", "goldman-sachs")
    assert second.relevance < 30 < 60 < first.relevance
    own = LINKER.link("Goldman Sachs posts record profit", "", (), THEN)
    assert [link.relevance for link in own] == [100]


def test_relevance_falls_with_place_and_crowd() -> None:
    def grade(title: str, body: str = "") -> int:
        return next(link.relevance for link in LINKER.link(title, body, (), THEN) if link.company_id == "netflix")

    alone = grade("Netflix adds subscribers")
    pair = grade("Netflix and Disney add subscribers")
    crowd = grade("$AAPL $MSFT $AMZN $GOOG $NFLX $TSLA $NVDA watchlist")
    lead = grade("Streaming grows", "Netflix added subscribers.")
    late = grade("Streaming grows", "Nothing happened. " * 20 + "Netflix added subscribers.")
    assert alone == 100
    assert alone > pair > crowd > 0
    assert alone > lead > late > 0
    assert grade("Streaming grows", "Netflix grew. Netflix added subscribers.") > lead


def test_a_long_text_is_linked_in_time_that_grows_with_its_length() -> None:
    body = "Ford or Citi or $F. " * 10_000
    assert ids("Names without end", body) == {"ford", "citigroup"}
    assert named("Names without end", "word " * 10_000 + "Netflix") == {}


def test_the_order_is_that_of_relevance_then_id() -> None:
    links = LINKER.link("Pfizer, Boeing and Netflix were unchanged", "", (), THEN)
    assert [link.company_id for link in links] == ["boeing", "netflix", "pfizer"]
    assert links == LINKER.link("Pfizer, Boeing and Netflix were unchanged", "", (), THEN)


WORDS = st.sampled_from(
    [
        "Apple",
        "$FB",
        "AT&amp;T",
        "e\u0301",
        "İ",
        "ß",
        "\u2026",
        "(NYSE: F)",
        "Gap",
        "up",
        "\n",
        "\u2019s",
        "-",
        "$",
        "Delta",
        "&",
        "'",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS | st.text(max_size=5), max_size=12), st.lists(WORDS, max_size=8), st.booleans())
def test_any_text_is_linked_within_itself(title: list[str], body: list[str], spaced: bool) -> None:
    joint = " " if spaced else ""
    head, tail = joint.join(title), joint.join(body)
    text = article_text(head, tail)
    links = LINKER.link(head, tail, (), THEN)
    assert len({link.company_id for link in links}) == len(links)
    for link in links:
        assert 1 <= link.relevance <= 100
        assert link.span is not None
        assert 0 <= link.span[0] < link.span[1] <= len(text)
