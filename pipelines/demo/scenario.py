"""The demo scenario: what is replayed, what ought to fire, and how the outcome is told.

`headlines.jsonl` holds headlines in our own words about what happened to five companies from May 2012 to January 2013,
one JSON object a line in the order in which they are sent. Two fields are labels for tests and the summary and are never
sent: `tone` (`bad`, `good` or `plain`) and `about` (ids of those of the five companies that the text names). A correction
or retraction is a line of its own with the guid of the first and a higher `revision`, dated when it was issued.
"""

import base64
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import pandas as pd

LABELS = ("tone", "about")
CATCH_WITHIN = timedelta(hours=24)
FALLS_NEEDED = 5
OTHERS_ALLOWED = 3
NOTE = (
    "The headlines were written for this demo by people who knew what had happened: "
    "this shows that everything works and is no measure of detection."
)


class Names(NamedTuple):
    """How the headlines refer to one company; `products` are words that a linker may take for the company."""

    ticker: str
    name: str
    nicknames: tuple[str, ...]
    products: tuple[str, ...]


COMPANIES: Mapping[str, Names] = {
    "apple": Names("AAPL", "Apple", (), ("iPhone", "iPad", "MacBook", "iMac", "iTunes", "iOS", "Siri")),
    "meta-platforms": Names("FB", "Facebook", (), ("Instagram",)),
    "alphabet": Names("GOOG", "Google", (), ("Android", "YouTube", "Nexus", "Gmail", "Motorola")),
    "ibm": Names("IBM", "IBM", ("Big Blue",), ("Watson",)),
    "microsoft": Names("MSFT", "Microsoft", (), ("Windows", "Surface", "Xbox", "Skype", "Bing", "Yammer")),
}


@dataclass(frozen=True)
class Fall:
    """A real fall in the daily bars: `move` is close to close as a fraction, `day` the session, in New York."""

    company_id: str
    ticker: str
    day: date
    move: float
    first_headline: datetime
    words: str


def _fall(ticker: str, day: str, move: float, first_headline: str, words: str) -> Fall:
    company_id = next(key for key, names in COMPANIES.items() if names.ticker == ticker)
    return Fall(company_id, ticker, date.fromisoformat(day), move, parse_time(first_headline), words)


def parse_time(text: str) -> datetime:
    """The instant of an ISO time with its zone, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


FALLS: tuple[Fall, ...] = (
    _fall("FB", "2012-05-21", -0.110, "2012-05-21T10:21:00Z", "falls through its offer price on its second day"),
    _fall("FB", "2012-07-27", -0.117, "2012-07-26T20:05:00Z", "reports its first results as a listed company"),
    _fall("FB", "2012-09-24", -0.091, "2012-09-23T21:42:00Z", "a sceptical cover story of a weekly paper"),
    _fall("IBM", "2012-10-17", -0.049, "2012-10-16T20:13:00Z", "revenue falls short"),
    _fall("GOOG", "2012-10-18", -0.080, "2012-10-18T16:32:00Z", "weak results, out hours early by a printer's mistake"),
    _fall("AAPL", "2013-01-24", -0.124, "2013-01-23T21:34:00Z", "holiday results and a weak outlook"),
)


def load_headlines() -> list[dict[str, Any]]:
    """Every headline in the order of sending, labels included; `as_news` takes them off."""
    return _json_lines("headlines.jsonl")


def as_news(headline: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent of a headline: all but the labels."""
    return {key: value for key, value in headline.items() if key not in LABELS}


class Broken(NamedTuple):
    """A message that nobody can use: the raw `payload` is put on the news topic as it is at event time `at`."""

    at: datetime
    why: str
    payload: bytes


def load_broken() -> list[Broken]:
    """The broken messages in the order of sending; each ends as a dead letter."""
    return [
        Broken(parse_time(line["at"]), line["why"], base64.b64decode(line["payload_base64"], validate=True))
        for line in _json_lines("broken.jsonl")
    ]


def _json_lines(name: str) -> list[dict[str, Any]]:
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def load_bars() -> "pd.DataFrame":
    """Real daily bars of the five companies from 2011-01-03 to 2013-01-24, by start and ticker.

    Columns `ticker, start, open, high, low, close, volume`: prices in US dollars as traded (no adjustment), `start` the
    session's opening in UTC (09:30 in New York). Raises ModuleNotFoundError where `bokeh_sampledata` is not installed.
    """
    import pandas as pd

    path = resources.files("bokeh_sampledata").joinpath("_data", "stocks.csv.gz")
    with path.open("rb") as file:
        bars = pd.read_csv(file, compression="gzip").rename(columns=str.lower)
    wanted = bars["ticker"].isin([names.ticker for names in COMPANIES.values()])
    bars = bars[wanted & bars["date"].between("2011-01-01", "2013-01-24")]
    opening = pd.to_datetime(bars["date"] + " 09:30").dt.tz_localize(ZoneInfo("America/New_York")).dt.tz_convert("UTC")
    bars = bars.assign(start=opening)[["ticker", "start", "open", "high", "low", "close", "volume"]]
    return bars.sort_values(["start", "ticker"], ignore_index=True)


def is_bad(headline: Mapping[str, Any], company_id: str) -> bool:
    """Whether this is the first print of a bad headline about the company (revisions are not counted again)."""
    return headline["tone"] == "bad" and company_id in headline["about"] and headline.get("revision", 1) == 1


def bad_times(headlines: Iterable[Mapping[str, Any]], company_id: str) -> list[datetime]:
    """When the bad headlines about a company came, in their order."""
    return [parse_time(h["published_at"]) for h in headlines if is_bad(h, company_id)]


# --- the control: the same headlines, the companies permuted ---


def derangements(
    headlines: Sequence[Mapping[str, Any]], apart: timedelta = timedelta(days=3), most: int = 3
) -> list[dict[str, str]]:
    """Every way to give each company another one's headlines such that no named fall stays covered.

    A way is allowed if the company of each fall inherits at most `most` bad headlines within `apart` of its first one.
    """
    bad = {company: bad_times(headlines, company) for company in COMPANIES}

    def clear(swap: Mapping[str, str]) -> bool:
        giver = {target: company for company, target in swap.items()}
        return all(sum(abs(at - fall.first_headline) <= apart for at in bad[giver[fall.company_id]]) <= most for fall in FALLS)

    swaps = (dict(zip(COMPANIES, order, strict=True)) for order in itertools.permutations(COMPANIES))
    return [swap for swap in swaps if all(a != b for a, b in swap.items()) and clear(swap)]


def permuted(headlines: Sequence[Mapping[str, Any]], seed: int = 0) -> list[dict[str, Any]]:
    """The same headlines at the same times, each company replaced throughout by another: no named fall ought to fire.

    Names, nicknames, tickers and products are exchanged in title, body and ticker hints, and `about` with them; words
    that only look like a company's name stay. The seed picks one of the `derangements`.
    """
    swaps = derangements(headlines)
    swap = swaps[seed % len(swaps)]
    return [_exchanged(headline, swap) for headline in headlines]


def _exchanged(headline: Mapping[str, Any], swap: Mapping[str, str]) -> dict[str, Any]:
    words: dict[str, str] = {}
    for company in headline["about"]:
        old, new = COMPANIES[company], COMPANIES[swap[company]]
        words |= {old.ticker: new.ticker, **dict.fromkeys(old.products, new.products[0])}
        words |= {f"{mark}{old.ticker}": f"{mark}{new.ticker}" for mark in ("$", "NASDAQ: ", "NYSE: ")}
        words |= dict.fromkeys((old.name, *old.nicknames), new.name)
    out = dict(headline) | {"about": [swap[company] for company in headline["about"]]}
    if words:
        longest_first = sorted(words, key=len, reverse=True)
        pattern = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?=s?(?!\w))" for word in longest_first))
        for field in ("title", "body"):
            if field in out:
                out[field] = pattern.sub(lambda match: words[match[0]], out[field])
    if "tickers" in out:
        tickers = {COMPANIES[old].ticker: COMPANIES[new].ticker for old, new in swap.items()}
        out["tickers"] = [tickers[ticker] for ticker in out["tickers"]]
    return out


# --- the outcome ---


class Alert(NamedTuple):
    """An incident that fired: `scope` as the design writes it (`company:apple`), `fired_at` in event time."""

    company_id: str | None
    scope: str
    fired_at: datetime


class Outcome(NamedTuple):
    """What became of one fall: its first alert, and how many bad headlines of the burst had come by then."""

    fall: Fall
    alert: Alert | None
    items: int


class Verdict(NamedTuple):
    """The outcome of a replay: `again` are further alerts about a fall already caught, `others` all else that fired."""

    outcomes: tuple[Outcome, ...]
    again: tuple[Alert, ...]
    others: tuple[Alert, ...]

    @property
    def caught(self) -> int:
        """How many of the falls fired in time."""
        return sum(outcome.alert is not None for outcome in self.outcomes)

    @property
    def as_promised(self) -> bool:
        """At least 5 of the 6 falls, and at most 3 other alerts."""
        return self.caught >= FALLS_NEEDED and len(self.others) <= OTHERS_ALLOWED


def verdict(alerts: Sequence[tuple[str | None, str, datetime]], headlines: Sequence[Mapping[str, Any]]) -> Verdict:
    """Which falls the alerts caught.

    A fall is caught by an alert in the scope of its company, or of its company and a topic, within 24 hours of its first
    bad headline. Alerts in wider scopes (sector, topic, market) count as others even then. `headlines`: those replayed.
    """
    left = sorted((Alert(*alert) for alert in alerts), key=lambda alert: (alert.fired_at, alert.scope))
    outcomes: list[Outcome] = []
    again: list[Alert] = []
    for fall in FALLS:
        hits = [alert for alert in left if _is_of(alert, fall)]
        left = [alert for alert in left if alert not in hits]
        first = hits[0] if hits else None
        came = bad_times(headlines, fall.company_id)
        items = sum(fall.first_headline <= at <= first.fired_at for at in came) if first else 0
        outcomes.append(Outcome(fall, first, items))
        again += hits[1:]
    return Verdict(tuple(outcomes), tuple(again), tuple(left))


def _is_of(alert: Alert, fall: Fall) -> bool:
    own = f"company:{fall.company_id}"
    in_scope = alert.scope == own or alert.scope.startswith(f"{own}/")
    return in_scope and fall.first_headline <= alert.fired_at <= fall.first_headline + CATCH_WITHIN


def as_dict(result: Verdict) -> dict[str, Any]:
    """The verdict as plain JSON values."""
    return {
        "falls": [
            {
                "company": outcome.fall.company_id,
                "ticker": outcome.fall.ticker,
                "day": outcome.fall.day.isoformat(),
                "move": outcome.fall.move,
                "first_headline": _iso(outcome.fall.first_headline),
                "caught": outcome.alert is not None,
                "fired_at": _iso(outcome.alert.fired_at) if outcome.alert else None,
                "items": outcome.items if outcome.alert else None,
            }
            for outcome in result.outcomes
        ],
        "caught": result.caught,
        "again": [_alert_dict(alert) for alert in result.again],
        "others": [_alert_dict(alert) for alert in result.others],
        "as_promised": result.as_promised,
        "note": NOTE,
    }


def summary(result: Verdict) -> str:
    """The verdict in words: a line for each fall, what else fired, and what this does not show."""
    lines = [f"{result.caught} of {len(result.outcomes)} falls caught within 24 hours of their first bad headline:"]
    for fall, alert, items in result.outcomes:
        if alert is None:
            told = "not caught"
        else:
            minutes = round((alert.fired_at - fall.first_headline).total_seconds() / 60)
            told = f"caught after {items} bad headlines, {minutes // 60} h {minutes % 60:02d} min"
        lines.append(f"  {fall.day}  {fall.ticker:<4}  {fall.move:+.1%}  {told}  ({fall.words})")
    lines.append(f"{len(result.again)} more alerts about a fall already caught.")
    lines.append(f"{len(result.others)} other alerts{':' if result.others else '.'}")
    lines += [f"  {_iso(alert.fired_at)}  {alert.scope}" for alert in result.others]
    return "\n".join([*lines, NOTE])


def _alert_dict(alert: Alert) -> dict[str, str]:
    return {"scope": alert.scope, "fired_at": _iso(alert.fired_at)}


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
