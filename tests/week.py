"""A generated week of news: seeded, invented, and with everything in it that real news has.

Repeats by other sources, several companies in one headline, articles about nobody, corrections, a retraction, delayed items,
and a burst of bad news for one company that must become an incident.
"""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2015, 3, 2, tzinfo=UTC)
DAYS = 7
LATE = timedelta(minutes=10)
TICKERS = (
    "AAPL GOOG FB MSFT IBM AMZN INTC CSCO ORCL BA CAT GE XOM CVX WMT KO PEP MCD NKE DIS JNJ PFE MRK GS JPM BAC C WFC T VZ".split()
)
SURGING = "BA"
BAD = "plunges slumps warns misses fraud probe lawsuit recall downgrade losses layoffs bankruptcy crash fears default".split()
GOOD = "beats surges record upgrade raises wins profit growth dividend buyback approval strong rally expands boost".split()
PLAIN = "names meeting schedule plant office review update talks report conference filing note survey panel visit".split()
FILLER = (
    "after before during quarter market analysts say traders see regional supply demand chain product unit division "
    "north south europe asia canada brazil factory software cloud energy retail consumer health media transport "
    "airline engine battery chip network mobile advertising insurance lending credit bond equity cash margin costs "
    "wages union contract court judge settlement patent license partner venture rival pricing inventory orders "
    "shipments backlog guidance outlook forecast estimate consensus board chairman director founder investor fund "
    "stake holder vote proposal audit rule agency ministry tariff currency export"
).split()
OUTLETS = ("Harbour Wire", "Northgate Post", "Tape & Ticker", "Morning Ledger")


def generated_week(articles: int, seed: int = 7) -> list[dict[str, Any]]:
    """News rows in order of `fetched_at`; about a sixth of them repeat an earlier one."""
    rng = random.Random(seed)
    span = timedelta(days=DAYS).total_seconds()
    times = sorted(START + timedelta(seconds=int(rng.uniform(0, span))) for _ in range(articles))
    rows: list[dict[str, Any]] = []
    for number, at in enumerate(times):
        if rows and rng.random() < 0.16:
            rows.append(_repeat(rng, rng.choice(rows[-200:]), number, at))
        elif rows and rng.random() < 0.02:
            rows.append(_correction(rng, rng.choice(rows[-100:]), at))
        else:
            rows.append(_article(rng, number, at))
    return sorted(rows + _burst(rng), key=lambda row: row["fetched_at"])


def _article(rng: random.Random, number: int, at: datetime) -> dict[str, Any]:
    names = rng.sample(TICKERS, k=rng.choices((0, 1, 2, 3), weights=(10, 70, 15, 5))[0])
    tone = rng.choices((BAD, GOOD, PLAIN), weights=(20, 35, 45))[0]
    words = [*(f"${name}" for name in names), *rng.sample(tone, 2), *rng.sample(FILLER, rng.randint(7, 14))]
    return _row(" ".join(words), rng.choice(OUTLETS), f"g{number}", at)


def _repeat(rng: random.Random, of: dict[str, Any], number: int, at: datetime) -> dict[str, Any]:
    words = of["title"].split()
    words.insert(rng.randrange(len(words) + 1), rng.choice(FILLER))
    return _row(" ".join(words), rng.choice(OUTLETS), f"g{number}", at)


def _correction(rng: random.Random, of: dict[str, Any], at: datetime) -> dict[str, Any]:
    """At once, or so late that the minute of what it corrects was decided long before."""
    title = f"{of['title']} {rng.choice(GOOD)}"
    late = at - of["published_at"] > LATE and rng.random() < 0.5
    fetched_at = at if late else of["fetched_at"]
    retracted = rng.random() < 0.2
    return {**of, "title": title, "revision": of["revision"] + 1, "retracted": retracted, "fetched_at": fetched_at}


def _burst(rng: random.Random) -> list[dict[str, Any]]:
    at = START + timedelta(days=4, hours=15)
    return [
        _row(
            " ".join([f"${SURGING} shares", *rng.sample(BAD, 3), *rng.sample(FILLER, 8)]),
            OUTLETS[number % 4],
            f"burst{number}",
            at + timedelta(minutes=3 * number),
        )
        for number in range(20)
    ]


def _row(title: str, source: str, guid: str, at: datetime) -> dict[str, Any]:
    return {
        "published_at": at,
        "fetched_at": at,
        "title": title,
        "body": "",
        "url": f"https://news.example/{guid}",
        "source": source,
        "guid": guid,
        "revision": 1,
        "retracted": False,
        "tickers": [],
    }


def generated_bars(seed: int = 7) -> list[dict[str, Any]]:
    """Daily bars of all tickers, a hundred days back from the end of the week."""
    rng = random.Random(seed)
    rows = []
    for ticker in TICKERS:
        close = rng.uniform(20, 200)
        for back in range(100, 0, -1):
            day = START + timedelta(days=DAYS - back)
            if day.weekday() < 5:
                opened, close = close, close * (1 + rng.gauss(0, 0.012))
                high, low = max(opened, close) * 1.005, min(opened, close) * 0.995
                rows.append(
                    {
                        "ticker": ticker,
                        "start": day,
                        "open": opened,
                        "high": high,
                        "low": low,
                        "close": close,
                        "volume": float(rng.randint(10_000, 90_000)),
                    }
                )
    return rows
