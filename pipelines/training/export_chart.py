"""The artifact that describes charts: the chart encoder and its heads, calibrated, with how often each head is right."""

from __future__ import annotations

import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.chart import ChartEncoder
from models.chart_reader import ChartReader, write_chart_artifact
from models.windows import ATTRIBUTES, CHART_COLUMNS, CHART_DAYS, chart_attributes, weekly
from pipelines.training.bootstrap import mean_difference
from pipelines.training.evaluate_charts import CHARTS, RECEIVED, chart_figures, companies_of, styles
from pipelines.training.export_text import git_revision
from pipelines.training.pretrain import PretrainRecipe
from pipelines.training.stocknet import StockNet

Array = np.ndarray[Any, Any]

CALIBRATION_CHARTS = 300
TEMPERATURES = np.geomspace(0.5, 8, 49)


def export_chart(encoder: ChartEncoder, data: StockNet, recipe: PretrainRecipe, judged: Path, folder: Path) -> ChartReader:
    """Write the artifact. `judged` is the folder in which `write_chart_predictions` has left what the same encoder says."""
    import pandas as pd

    predictions = pd.read_parquet(judged / CHARTS)
    manifest = {
        "name": "chart",
        "temperatures": temperatures(encoder, data, recipe.before),
        "trusted": trusted(predictions),
        "figures": chart_figures(predictions),
        "training": {"data": "StockNet, daily bars", **asdict(recipe)},
        "git": git_revision(),
    }
    tensors = {name: value.half().numpy() for name, value in encoder.state_dict().items() if value.is_floating_point()}
    return write_chart_artifact(folder, manifest, tensors)


def trusted(predictions: Any) -> dict[str, bool]:
    """Which heads beat the commonest class on charts as they are received, by an interval over companies.

    Charts of one company overlap, so that they are drawn together. Where no charts as they are received were drawn (mplfinance is
    not installed) none is trusted.
    """
    received = predictions[predictions["style"] == RECEIVED]
    told = {}
    for name in ATTRIBUTES:
        own = received[received["attribute"] == name]
        if own.empty:
            told[name] = False
            continue
        right = (own["said"] == own["truth"]).to_numpy(dtype=float)
        common = (own["truth"] == own["truth"].mode()[0]).to_numpy(dtype=float)
        told[name] = mean_difference(companies_of(own), right, common).low > 0
    return told


def temperatures(encoder: ChartEncoder, data: StockNet, before: str) -> dict[str, float]:
    """Of each head the temperature that fits best on charts of bars before the date, drawn as foreign to it as can be."""
    rng = random.Random("temperatures")  # noqa: S311  (no secret is made here)
    drawn = styles()
    draw = drawn.get(RECEIVED, drawn["random"])
    ends = [int(np.searchsorted(bars.days, np.datetime64(before))) for bars in data.bars]
    long_enough = [t for t, end in enumerate(ends) if end >= CHART_DAYS]
    places = [(t, rng.randint(CHART_DAYS, ends[t])) for t in rng.choices(long_enough, k=CALIBRATION_CHARTS)]
    weeks = [weekly(data.bars[t].values[end - CHART_DAYS : end, CHART_COLUMNS]) for t, end in places]
    with torch.inference_mode():
        logits = encoder.attributes(encoder(torch.from_numpy(np.stack([draw(own, rng) for own in weeks]))))
    truth = torch.from_numpy(np.stack([chart_attributes(own) for own in weeks]))
    return {name: _temperature(logits[name], truth[:, i]) for i, name in enumerate(ATTRIBUTES)}


def _temperature(logits: torch.Tensor, truth: torch.Tensor) -> float:
    losses = [float(torch.nn.functional.cross_entropy(logits / value, truth)) for value in TEMPERATURES]
    return round(float(TEMPERATURES[int(np.argmin(losses))]), 3)
