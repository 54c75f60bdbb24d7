"""What the chart encoder's heads say of charts that they never saw, drawn by us and by mplfinance, beside the truth."""

from __future__ import annotations

import importlib.util
import os
import random
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.chart import ChartEncoder
from models.chart_image import as_input, read_image
from models.drawing import PLAIN, draw_weeks
from models.windows import ATTRIBUTES, CHART_COLUMNS, CHART_DAYS, chart_attributes, weekly
from pipelines.training.chart_styles import random_style
from pipelines.training.stocknet import StockNet

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]
Figures = dict[str, Any]
Drawing = Callable[[Array, random.Random], Array]

CHARTS = "charts.parquet"
RECEIVED = "mplfinance"
"""The style that stands for charts as they are received: drawn by others, and never seen in training."""
LOOKS = ("yahoo", "charles", "nightclouds", "classic", "binance")
"""Styles of mplfinance."""


def draw_received(weeks: Array, rng: random.Random) -> Array:
    """Weeks (open, high, low, close, volume) as mplfinance draws them, with axes and text, as the encoder reads an image."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt
    import mplfinance
    import pandas as pd

    mpl.use("Agg")
    index = pd.date_range("2015-01-02", periods=len(weeks), freq="W-FRI")
    frame = pd.DataFrame(weeks, index=index, columns=["Open", "High", "Low", "Close", "Volume"])
    content = BytesIO()
    saved = {"fname": content, "format": "png", "dpi": rng.randint(60, 110)}
    mplfinance.plot(frame, type="candle", volume=True, style=rng.choice(LOOKS), savefig=saved)
    plt.close("all")
    return read_image(content.getvalue())


def styles() -> dict[str, Drawing]:
    """How charts are drawn: plain, in a random style of ours, and by mplfinance where that is installed."""

    def own(weeks: Array, rng: random.Random | None) -> Array:
        return as_input(draw_weeks(weeks, PLAIN if rng is None else random_style(rng)))

    found: dict[str, Drawing] = {"plain": lambda weeks, _: own(weeks, None), "random": own}
    return found | ({RECEIVED: draw_received} if importlib.util.find_spec("mplfinance") else {})


def write_chart_predictions(encoder: ChartEncoder, data: StockNet, before: str, count: int, out: Path) -> None:
    """Write what is said, and what is true, of charts that begin on the date or later: no bar of theirs was seen."""
    import pandas as pd

    rng = random.Random("charts")  # noqa: S311  (no secret is made here)
    first = [int(np.searchsorted(bars.days, np.datetime64(before))) + CHART_DAYS for bars in data.bars]
    places = [(t, end) for t, bars in enumerate(data.bars) for end in range(first[t], len(bars.days) + 1)]
    chosen = rng.sample(places, min(count, len(places)))
    frames = []
    for style, draw in styles().items():
        weeks = [weekly(data.bars[t].values[end - CHART_DAYS : end, CHART_COLUMNS]) for t, end in chosen]
        images = torch.from_numpy(np.stack([draw(own, rng) for own in weeks]))
        with torch.inference_mode():
            logits = encoder.attributes(encoder(images))
        truth = np.stack([chart_attributes(own) for own in weeks])
        ids = [f"{data.tickers[t]}-{data.bars[t].days[end - 1]}" for t, end in chosen]
        for i, name in enumerate(ATTRIBUTES):
            said = logits[name].argmax(dim=1).numpy()
            frames.append(pd.DataFrame({"id": ids, "style": style, "attribute": name, "truth": truth[:, i], "said": said}))
    out.mkdir(parents=True, exist_ok=True)
    partial = out / f"{CHARTS}.{os.getpid()}"
    pd.concat(frames).to_parquet(partial, index=False)
    os.replace(partial, out / CHARTS)


def companies_of(predictions: pd.DataFrame) -> Array:
    """The company of each row of predictions."""
    return np.asarray(predictions["id"].str[: -len("-YYYY-MM-DD")])


def chart_figures(predictions: pd.DataFrame) -> Figures:
    """Accuracy of each attribute in each style, beside that of always saying its commonest class."""
    told: Figures = {}
    for (style, name), own in predictions.groupby(["style", "attribute"], sort=False):
        told.setdefault(str(style), {})[str(name)] = {
            "rows": len(own),
            "accuracy": round(float((own["said"] == own["truth"]).mean()), 4),
            "majority": round(float(own["truth"].value_counts(normalize=True).max()), 4),
        }
    return told
