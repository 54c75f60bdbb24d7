"""StockNet: tweets and daily bars of 87 companies, turned into items (a company on a trading day) without looking ahead.

An item of day d may know the bars up to d-1 and the texts of the calendar days d-5 to d-1 (UTC); the tradable task adds those of
day d before the open. Protocol and published split follow Xu and Cohen, "Stock Movement Prediction from Tweets and Historical
Prices" (ACL 2018).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from models.passages import URL
from pipelines.training.datasets import DataError
from pipelines.training.near_copies import WORD

Array = np.ndarray[Any, Any]

UP, DOWN = 0.0055, -0.005
"""A return from UP on counts as up, one below DOWN as down; what lies between carries no label."""
LAG_DAYS = 5
SLOTS = LAG_DAYS + 1
"""A slot for each calendar day of the lag, and one for the day itself up to the open."""
FIRST_DAY = np.datetime64("2014-01-01")
DEV_FROM, TEST_FROM, TEST_TO = (np.datetime64(day) for day in ("2015-08-01", "2015-10-01", "2016-01-01"))
REPEAT_S = LAG_DAYS * 86_400
DAY_S = 86_400
COLUMNS = ("open", "high", "low", "close", "adj_close", "volume")


class Bars(NamedTuple):
    """A company's daily bars: `days` (n) as datetime64[D], `values` (n, 6) in the order of COLUMNS."""

    days: Array
    values: Array

    @property
    def returns(self) -> Array:
        """Returns of the adjusted close, (n), nan for the first."""
        adjusted = self.values[:, 4]
        return np.concatenate([[np.nan], adjusted[1:] / adjusted[:-1] - 1])


class Tweets(NamedTuple):
    """A company's texts in order of time: `times` (n) in seconds since 1970, `keys` equal for copies and retweets."""

    times: Array
    texts: list[str]
    keys: list[str]


@dataclass(frozen=True, slots=True)
class StockNet:
    """Everything that items are made from, one entry a ticker, in the order of `tickers`."""

    tickers: tuple[str, ...]
    names: tuple[str, ...]
    bars: list[Bars]
    tweets: list[Tweets]


@dataclass(frozen=True, slots=True)
class Items:
    """One row for each company and trading day d.

    `bar` is the place of d in the company's bars; `slots` (n, 6, 2) are the ranges of the company's tweets of d-5, …, d-1 and
    of d before the open. `raw`, `adjusted` (less the day's mean over companies) and `session` (open to close) are returns of d.
    `paper` says whether the paper's protocol has the item: each trading day of the lag, with what follows it up to the next,
    has a tweet.
    """

    ticker: Array
    day: Array
    bar: Array
    slots: Array
    raw: Array
    adjusted: Array
    session: Array
    paper: Array

    def __len__(self) -> int:
        return len(self.ticker)

    def ids(self, tickers: Sequence[str]) -> list[str]:
        """A name for each item: ticker and day."""
        return [f"{tickers[t]}-{day}" for t, day in zip(self.ticker.tolist(), self.day.astype(str).tolist(), strict=True)]


def load_stocknet(data_dir: Path) -> StockNet:
    """Read the data set.

    Raises:
        DataError: a file is missing.
    """
    import pandas as pd

    folder = data_dir / "stocknet"
    for name in ("tweets.parquet", "prices.parquet", "companies.tsv"):
        if not (folder / name).is_file():
            raise DataError(f"{folder / name} is missing: point SQUALL_DATA_DIR at the folder that holds the training data")
    prices = pd.read_parquet(folder / "prices.parquet").sort_values(["ticker", "date"])
    tweets = pd.read_parquet(folder / "tweets.parquet").sort_values(["ticker", "created_at", "id"])
    listed = pd.read_csv(folder / "companies.tsv", sep="\t", dtype=str).set_index("Symbol")["Company"].to_dict()
    bars = {
        str(ticker): Bars(own["date"].to_numpy(dtype="datetime64[D]"), own[list(COLUMNS)].to_numpy(dtype=np.float64))
        for ticker, own in prices.groupby("ticker")
    }
    texts = {
        str(ticker): _tweets(own["created_at"].to_numpy(dtype="datetime64[s]").astype(np.int64), own["text"].astype(str).tolist())
        for ticker, own in tweets.groupby("ticker")
    }
    tickers = tuple(sorted(bars))
    nothing = _tweets(np.array([], dtype=np.int64), [])
    names = tuple(str(listed.get(f"${ticker}", ticker)) for ticker in tickers)
    return StockNet(tickers, names, [bars[t] for t in tickers], [texts.get(t, nothing) for t in tickers])


def copy_key(text: str) -> str:
    """What a tweet and its retweets share: its words, without the `RT @user` before them and without URLs."""
    words = WORD.findall(URL.sub(" ", text).casefold())
    while len(words) > 1 and words[0] == "rt":
        words = words[2:]
    return " ".join(words)


def make_items(data: StockNet) -> Items:
    """An item for every company and trading day since 2014, except a company's first bar."""
    market = market_returns(data.bars)
    rows: list[tuple[int, int]] = []
    for t, bars in enumerate(data.bars):
        first = max(1, int(np.searchsorted(bars.days, FIRST_DAY)))
        rows += [(t, i) for i in range(first, len(bars.days))]
    rows.sort(key=lambda row: (data.bars[row[0]].days[row[1]], row[0]))
    ticker, bar = np.array([t for t, _ in rows], dtype=np.int64), np.array([i for _, i in rows], dtype=np.int64)
    day = np.array([data.bars[t].days[i] for t, i in rows], dtype="datetime64[D]")
    values = np.array([data.bars[t].values[i] for t, i in rows]).reshape(-1, len(COLUMNS))
    returns = [bars.returns for bars in data.bars]
    raw = np.array([returns[t][i] for t, i in rows])
    adjusted = raw - np.array([market[d] for d in day])
    bounds = np.array([slot_bounds(d) for d in day]).reshape(-1, SLOTS + 1)
    slots = np.zeros((len(rows), SLOTS, 2), dtype=np.int64)
    paper = np.zeros(len(rows), dtype=bool)
    for t, tweets in enumerate(data.tweets):
        own = np.flatnonzero(ticker == t)
        places = np.searchsorted(tweets.times, bounds[own])
        slots[own] = np.stack([places[:, :-1], places[:, 1:]], axis=2)
    counts = slots[:, :LAG_DAYS, 1] - slots[:, :LAG_DAYS, 0]
    for n, (t, i) in enumerate(rows):
        paper[n] = has_paper_texts(counts[n], data.bars[t].days[:i], day[n])
    return Items(ticker, day, bar, slots, raw, adjusted, values[:, 3] / values[:, 0] - 1, paper)


def market_returns(bars: Sequence[Bars]) -> dict[Any, float]:
    """The mean return over companies of each day (datetime64[D])."""
    days = np.concatenate([own.days[1:] for own in bars])
    returns = np.concatenate([own.returns[1:] for own in bars])
    unique, places = np.unique(days, return_inverse=True)
    means = np.bincount(places, returns) / np.bincount(places)
    return dict(zip(unique, means.tolist(), strict=True))


def slot_bounds(day: Any) -> list[int]:
    """Where the slots of an item begin and end, 7 instants in seconds since 1970: midnights (UTC), and the open in New York."""
    midnight = int(day.astype("datetime64[s]").astype(np.int64))
    opens = datetime.fromisoformat(f"{day}T09:30").replace(tzinfo=ZoneInfo("America/New_York")).timestamp()
    return [*(midnight - back * DAY_S for back in range(LAG_DAYS, -1, -1)), int(opens)]


def has_paper_texts(counts: Array, earlier_days: Array, day: Any) -> bool:
    """Whether each part of the lag has a tweet; parts begin with the lag and with each trading day in it.

    `counts` (5) are the tweets of d-5, …, d-1; `earlier_days` the company's trading days before d.
    """
    lag = day - np.arange(LAG_DAYS, 0, -1)
    trading = np.flatnonzero(np.isin(lag, earlier_days[-LAG_DAYS:]))
    starts = np.unique([0, *trading])
    return bool((np.add.reduceat(counts, starts) > 0).all())


def direction(returns: Array) -> Array:
    """1 up, 0 down, -1 for neither."""
    return np.where(returns >= UP, 1, np.where(returns < DOWN, 0, -1))


def published_split(day: Array) -> Array:
    """0 training, 1 dev, 2 test, -1 outside."""
    part = (day >= DEV_FROM).astype(int) + (day >= TEST_FROM)
    return np.where(day < TEST_TO, part, -1)


def quarter_split(day: Array, quarter: int) -> Array:
    """A fold of the walk through 2015: test is its quarter (0-3), dev the two months before, training all before these."""
    start = np.datetime64("2015-01", "M") + 3 * quarter
    month = day.astype("datetime64[M]")
    part = (month >= start - 2).astype(int) + (month >= start)
    return np.where(month < start + 3, part, -1)


def split_hash(ids: Sequence[str], split: Array) -> str:
    """A hash of which item is in which part."""
    lines = "\n".join(f"{i} {part}" for i, part in zip(ids, split.tolist(), strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def usable_texts(data: StockNet, items: Items, split: Array, part: int) -> list[Array]:
    """For each company which of its tweets items of a part may read, as booleans.

    Copies of what the company's tweets said within the five days before are left out, and so is, of training and dev, what a
    later part reads too, of any company.
    """
    later: set[str] = set()
    for t, ranges in zip(items.ticker[split > part].tolist(), items.slots[split > part].tolist(), strict=True):
        keys = data.tweets[t].keys
        later.update(keys[ranges[0][0] : ranges[-1][1]])
    usable = []
    for tweets in data.tweets:
        last: dict[str, int] = {}
        keep = np.ones(len(tweets.keys), dtype=bool)
        for i, (time, key) in enumerate(zip(tweets.times.tolist(), tweets.keys, strict=True)):
            keep[i] = key not in later and time - last.get(key, -REPEAT_S - 1) > REPEAT_S
            last[key] = time
        usable.append(keep)
    return usable


def _tweets(times: Array, texts: list[str]) -> Tweets:
    return Tweets(times, texts, [copy_key(text) for text in texts])
