"""Invented headlines for the benchmarks: all different, over 500 companies, of the lengths that financial tweets have.

Lengths matter: what pads each batch to its longest text pays for their spread. Those of the TFNS topic set are 12, 24 and 50
tokens at the 5th, 50th and 95th percentile, which is close to a lognormal distribution with a spread of .45.
"""

import random
from datetime import UTC, datetime, timedelta
from math import log
from typing import Any

from squall.companies import AMERICAN, load_companies
from tests.week import BAD, FILLER, GOOD, OUTLETS, PLAIN

COMPANIES = 500
MEDIAN, SPREAD = log(24), 0.45
OTHER_TOKENS = 10
"""Of the ticker, the tone, the number and the ends of a text."""
START = datetime(2015, 3, 2, tzinfo=UTC)


def headlines(count: int, seed: int = 11) -> list[dict[str, Any]]:
    """News rows a second apart, one company each."""
    rng = random.Random(seed)
    tickers = _tickers()
    rows = []
    for number in range(count):
        tone = rng.choice((BAD, GOOD, PLAIN))
        words = [
            f"${tickers[number % len(tickers)]}",
            *rng.sample(tone, 2),
            *rng.sample(FILLER, max(3, min(len(FILLER), round(rng.lognormvariate(MEDIAN, SPREAD)) - OTHER_TOKENS))),
            f"no. {number}",
        ]
        at = START + timedelta(seconds=number)
        rows.append(
            {
                "published_at": at,
                "fetched_at": at,
                "title": " ".join(words),
                "source": rng.choice(OUTLETS),
                "guid": f"bench-{seed}-{number}",
            }
        )
    return rows


def _tickers() -> list[str]:
    found = {
        listing.ticker
        for company in load_companies()
        for listing in company.listings
        if listing.exchange in AMERICAN and listing.ticker.isalpha() and not listing.word and listing.valid(START.date())
    }
    if len(found) < COMPANIES:
        raise RuntimeError(f"the company table has {len(found)} usable tickers, {COMPANIES} are needed")
    return sorted(found)[:COMPANIES]
