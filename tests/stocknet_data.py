"""A small StockNet of our own: three companies, two years of bars, texts whose tone leans towards the next day's return."""

from pathlib import Path

import numpy as np
import pandas as pd

TICKERS = ("CRV", "HLD", "KST")
FIRST, LAST = "2013-06-03", "2015-12-31"
TWEETS_FROM = "2014-06-01"


def write_stocknet(data_dir: Path, seed: int = 1) -> Path:
    """Write the folder `stocknet` as the real one is laid out; returns `data_dir`."""
    rng = np.random.default_rng(seed)
    folder = data_dir / "stocknet"
    folder.mkdir(parents=True)
    days = pd.bdate_range(FIRST, LAST)
    bars: list[pd.DataFrame] = []
    tweets: list[tuple[pd.Timestamp, str, str, str]] = []
    for number, ticker in enumerate(TICKERS):
        returns = rng.normal(0, 0.015, len(days))
        close = 50 * np.exp(np.cumsum(returns))
        opened = close * np.exp(rng.normal(0, 0.006, len(days)))
        high, low = np.maximum(opened, close) * 1.004, np.minimum(opened, close) * 0.996
        volume = rng.integers(1_000, 9_000, len(days)).astype(float)
        values = {"open": opened, "high": high, "low": low, "close": close, "adj_close": close * 0.9, "volume": volume}
        bars.append(pd.DataFrame({"ticker": ticker, "date": days.strftime("%Y-%m-%d"), **values}))
        for place in np.flatnonzero(days >= pd.Timestamp(TWEETS_FROM))[:: number + 1]:
            tone = "gains" if returns[place] > 0 else "slips"
            at = days[place] - pd.Timedelta(hours=20)
            tweets.append((at.tz_localize("UTC"), ticker, f"{len(tweets)}", f"${ticker} {tone} as dealers meet in room {place}"))
    frame = pd.DataFrame(tweets, columns=["created_at", "ticker", "id", "text"])
    frame.to_parquet(folder / "tweets.parquet")
    pd.concat(bars).to_parquet(folder / "prices.parquet")
    names = "\n".join(
        f"Tools\t${ticker}\t{name}" for ticker, name in zip(TICKERS, ("Corvo Inc.", "Halden plc", "Kestrel"), strict=True)
    )
    (folder / "companies.tsv").write_text(f"Sector\tSymbol\tCompany\n{names}\n")
    return data_dir
