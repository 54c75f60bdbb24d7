"""The demo's data keep their promises, and its verdict counts what it says."""

import contextlib
import re
from collections import Counter
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from pipelines.demo import scenario
from pipelines.demo.scenario import CATCH_WITHIN, COMPANIES, FALLS, Alert, Fall, parse_time
from squall import records

HEADLINES = scenario.load_headlines()
FIELDS = {"published_at", "title", "body", "url", "source", "tickers", "guid", "revision", "retracted", "tone", "about"}
FACEBOOK, IBM, GOOGLE, APPLE = FALLS[2], FALLS[3], FALLS[4], FALLS[5]


def names_of(company_id: str) -> list[str]:
    names = COMPANIES[company_id]
    return [names.name, *names.nicknames, f"${names.ticker}"]


def text_of(headline: dict[str, Any]) -> str:
    return f"{headline['title']} {headline.get('body', '')}"


def names_company(headline: dict[str, Any], company_id: str) -> bool:
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text_of(headline)) for name in names_of(company_id))


def test_there_are_enough_headlines_and_most_are_ordinary() -> None:
    tones = Counter(headline["tone"] for headline in HEADLINES)
    assert len(HEADLINES) >= 440
    assert set(tones) == {"bad", "good", "plain"}
    assert tones["bad"] <= 0.35 * len(HEADLINES)
    assert sum(not headline["about"] for headline in HEADLINES) >= 50
    assert sum(len(headline["about"]) > 1 for headline in HEADLINES) >= 20
    assert sum("body" in headline for headline in HEADLINES) >= 30


def test_headlines_are_in_order_of_time_and_within_the_months() -> None:
    times = [parse_time(headline["published_at"]) for headline in HEADLINES]
    assert times == sorted(times)
    assert parse_time("2012-05-01T00:00:00Z") <= times[0] <= times[-1] < parse_time("2013-01-25T00:00:00Z")


def test_every_headline_has_the_fields_of_the_format() -> None:
    for headline in HEADLINES:
        assert headline.keys() <= FIELDS
        assert headline["title"].strip() == headline["title"] != ""
        assert (urlsplit(headline["url"]).hostname or "").endswith(".example")
        news = msgspec.convert(scenario.as_news(headline) | {"fetched_at": headline["published_at"]}, records.News)
        assert news.title == headline["title"]


def test_guids_are_unique_for_each_revision_and_revisions_follow_their_first() -> None:
    last: dict[tuple[str, str], int] = {}
    for headline in HEADLINES:
        key = headline["source"], headline["guid"]
        assert headline.get("revision", 1) == last.get(key, 0) + 1
        last[key] = headline.get("revision", 1)
    assert sum(revision > 1 for revision in last.values()) >= 4
    assert sum(bool(headline.get("retracted")) for headline in HEADLINES) == 1


def test_about_says_which_companies_are_named() -> None:
    traps = ("Apple pie", "Apple blossom", "Apple trees")
    for headline in HEADLINES:
        named = {company for company in COMPANIES if names_company(headline, company)}
        if headline["title"].startswith(traps):
            assert headline["about"] == []
        else:
            assert set(headline["about"]) == named, headline["title"]


def test_labels_are_not_sent() -> None:
    assert all(not {"tone", "about"} & scenario.as_news(headline).keys() for headline in HEADLINES)


def test_each_fall_is_what_the_bars_say() -> None:
    bars = scenario.load_bars()
    assert list(bars.columns) == ["ticker", "start", "open", "high", "low", "close", "volume"]
    assert set(bars["ticker"]) == {names.ticker for names in COMPANIES.values()}
    assert str(bars["start"].dt.tz) == "UTC"
    assert bars["start"].min() == parse_time("2011-01-03T14:30:00Z")
    assert bars["start"].max() == parse_time("2013-01-24T14:30:00Z")
    for fall in FALLS:
        own = bars[bars["ticker"] == fall.ticker]
        move = own["close"].pct_change()[own["start"].dt.date == fall.day]
        assert move.item() == pytest.approx(fall.move, abs=0.0005)


@pytest.mark.parametrize("fall", FALLS, ids=lambda fall: f"{fall.ticker}-{fall.day}")
def test_each_fall_starts_with_its_first_bad_headline_and_a_burst_follows(fall: Fall) -> None:
    bad = [h for h in HEADLINES if scenario.is_bad(h, fall.company_id)]
    at = [parse_time(h["published_at"]) for h in bad]
    assert fall.first_headline in at
    assert not [t for t in at if fall.first_headline - timedelta(hours=72) <= t < fall.first_headline]
    burst = [h for h, t in zip(bad, at, strict=True) if timedelta() <= t - fall.first_headline <= CATCH_WITHIN]
    assert len(burst) >= 10
    assert len({h["source"] for h in burst}) >= 6
    assert sum(h["about"] == [fall.company_id] for h in burst) == len(burst)


@pytest.mark.parametrize("company_id", COMPANIES)
def test_elsewhere_no_company_has_more_than_three_bad_headlines_in_a_day(company_id: str) -> None:
    bursts = [(f.first_headline, f.first_headline + CATCH_WITHIN) for f in FALLS if f.company_id == company_id]
    quiet = [at for at in scenario.bad_times(HEADLINES, company_id) if not any(start <= at <= end for start, end in bursts)]
    assert all(sum(at <= other < at + timedelta(hours=24) for other in quiet) <= 3 for at in quiet)


def test_broken_messages_are_refused_except_the_one_from_the_future() -> None:
    broken = scenario.load_broken()
    assert 8 <= len(broken) <= 12
    assert [message.at for message in broken] == sorted(message.at for message in broken)
    readable = []
    for message in broken:
        with contextlib.suppress(records.RecordError):
            readable.append(records.decode(message.payload, records.News | records.Tick))
    assert [news.published_at.year for news in readable] == [2031]


def test_no_derangement_leaves_a_fall_covered() -> None:
    swaps = scenario.derangements(HEADLINES)
    assert swaps
    for seed, swap in enumerate(swaps):
        other = scenario.permuted(HEADLINES, seed)
        assert all(company != target for company, target in swap.items())
        for fall in FALLS:
            near = [abs(at - fall.first_headline) <= timedelta(days=3) for at in scenario.bad_times(other, fall.company_id)]
            assert sum(near) <= 3


def test_permuted_headlines_name_the_other_company_and_keep_all_else() -> None:
    other = scenario.permuted(HEADLINES, seed=3)
    assert other == scenario.permuted(HEADLINES, seed=3)
    assert other != scenario.permuted(HEADLINES, seed=4)
    for before, after in zip(HEADLINES, other, strict=True):
        for field in FIELDS - {"title", "body", "tickers", "about"}:
            assert before.get(field) == after.get(field)
        if not before["about"]:
            assert before == after
        for company in after["about"]:
            assert names_company(after, company), after["title"]
        for company in set(before["about"]) - set(after["about"]):
            assert not names_company(after, company), after["title"]


def test_permuted_exchanges_tickers_products_and_plurals_at_once() -> None:
    swap = scenario.derangements(HEADLINES)[0]
    headline = HEADLINES[0] | {
        "title": "Apple sells fewer iPhones than Google (NASDAQ: GOOG) sells $AAPL, IBM (NYSE: IBM) and apple pies",
        "about": ["apple", "alphabet", "ibm"],
        "tickers": ["AAPL", "IBM"],
    }
    out = scenario.permuted([headline, *HEADLINES])[0]
    one, two, three = (COMPANIES[swap[company]] for company in headline["about"])
    assert out["title"] == (
        f"{one.name} sells fewer {one.products[0]}s than {two.name} (NASDAQ: {two.ticker}) sells ${one.ticker}, "
        f"{three.name} (NYSE: {three.ticker}) and apple pies"
    )
    assert out["tickers"] == [one.ticker, three.ticker]


def at(fall: Fall, hours: float) -> Alert:
    return Alert(fall.company_id, f"company:{fall.company_id}", fall.first_headline + timedelta(hours=hours))


def test_an_alert_within_a_day_of_the_first_bad_headline_catches_the_fall() -> None:
    result = scenario.verdict([at(APPLE, 24), at(IBM, 24.01), at(GOOGLE, -0.01)], HEADLINES)
    assert [outcome.fall for outcome in result.outcomes if outcome.alert] == [APPLE]
    assert result.others == (at(IBM, 24.01), at(GOOGLE, -0.01))


def test_a_company_and_topic_catches_and_wider_or_alien_scopes_do_not() -> None:
    topic = at(FACEBOOK, 1)._replace(scope="company:meta-platforms/topic:earnings")
    market = Alert(None, "market", FACEBOOK.first_headline + timedelta(hours=2))
    alien = at(FACEBOOK, 3)._replace(company_id="apple", scope="company:apple")
    alike = at(FACEBOOK, 4)._replace(company_id="meta-platforms-2", scope="company:meta-platforms-2")
    result = scenario.verdict([alike, alien, market, topic], HEADLINES)
    assert result.outcomes[2].alert == topic
    assert result.caught == 1
    assert result.others == (market, alien, alike)


def test_items_are_the_bad_headlines_that_had_come_when_the_alert_fired() -> None:
    came = scenario.bad_times(HEADLINES, "ibm")
    third = came[came.index(IBM.first_headline) + 2]
    alert = Alert("ibm", "company:ibm", third)
    again = at(IBM, 12)
    result = scenario.verdict([again, alert], HEADLINES)
    assert result.outcomes[3] == (IBM, alert, 3)
    assert result.again == (again,)
    assert result.others == ()


def test_what_was_promised_is_five_falls_and_at_most_three_others() -> None:
    five = [at(fall, 1) for fall in FALLS[1:]]
    others = [Alert(None, f"topic:{n}", APPLE.first_headline) for n in range(4)]
    assert scenario.verdict(five + others[:3], HEADLINES).as_promised
    assert not scenario.verdict(five + others, HEADLINES).as_promised
    assert not scenario.verdict(five[1:], HEADLINES).as_promised


def test_the_summary_tells_the_outcome_and_what_it_does_not_show() -> None:
    result = scenario.verdict([at(APPLE, 2), Alert(None, "market", IBM.first_headline)], HEADLINES)
    text = scenario.summary(result)
    assert "1 of 6 falls caught" in text
    assert "2013-01-24  AAPL  -12.4%  caught after" in text
    assert "2012-10-17  IBM   -4.9%  not caught" in text
    assert "2012-10-16T20:13:00Z  market" in text
    assert text.endswith(scenario.NOTE)
    told = scenario.as_dict(result)
    assert msgspec.json.decode(msgspec.json.encode(told)) == told
    assert told["caught"] == 1
    assert told["falls"][5]["fired_at"] == "2013-01-23T23:34:00Z"
    assert told["others"] == [{"scope": "market", "fired_at": "2012-10-16T20:13:00Z"}]
    assert "no measure of detection" in told["note"]
