"""Pre-training of the price and chart encoders on bars before a date, and their vectors of every item, made once and kept."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import cross_entropy

from models.chart import CHART_WIDTH, ChartEncoder
from models.chart_image import as_input
from models.drawing import PLAIN, Style, draw_weeks
from models.price import PRICE_WIDTH, PriceEncoder
from models.windows import (
    ATTRIBUTES,
    BARS,
    CHART_COLUMNS,
    MIN_CHART_BARS,
    VOLATILITIES,
    chart_attributes,
    price_window,
    volatilities,
    weekly,
)
from pipelines.training.chart_styles import random_style
from pipelines.training.stocknet import Items, StockNet, market_returns

Array = np.ndarray[Any, Any]
Report = Callable[[str, int, int], None]

PCA_ROWS = 8_192
UNREADABLE = -100
"""What `cross_entropy` leaves out."""


@dataclass(frozen=True, slots=True)
class PretrainRecipe:
    """What decides the encoders besides the data. Bars from `before` on are not seen."""

    before: str = "2014-11-01"
    seed: int = 1
    price_windows: int = 12_000
    price_epochs: int = 3
    charts: int = 12_000
    chart_epochs: int = 3
    batch_size: int = 64
    learning_rate: float = 2e-3


TEXT_WIDTH = 96
"""Principal components that are kept of a text vector of 768: the rest is noise to a few ten thousand labels."""


@dataclass(frozen=True, slots=True)
class TextReduction:
    """The leading principal components of text vectors: `mean` (768) and `components` (768, width), float32."""

    mean: Array
    components: Array

    def __call__(self, vectors: Array) -> Array:
        """(texts, 768) to (texts, width) float32."""
        return np.asarray((vectors.astype(np.float32) - self.mean) @ self.components)


def fit_reduction(data: StockNet, texts: list[Array], before: str) -> TextReduction:
    """The leading principal components of text vectors, fitted on texts from before the date."""
    limit = int(np.datetime64(before, "s").astype(np.int64))
    known = np.concatenate([own[tweets.times < limit] for own, tweets in zip(texts, data.tweets, strict=True)])
    rows = known[np.unique(np.linspace(0, len(known) - 1, min(PCA_ROWS, len(known))).astype(int))].astype(np.float32)
    mean = rows.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(rows, rowvar=False))
    leading = vectors[:, ::-1][:, :TEXT_WIDTH]
    return TextReduction(mean, np.ascontiguousarray(leading, dtype=np.float32))


class Encoders(NamedTuple):
    """Both encoders, frozen."""

    price: PriceEncoder
    chart: ChartEncoder


class ItemVectors(NamedTuple):
    """What is known of an item's price and chart before its day; rows of absent ones are zeros.

    `price` (n, 64) and `chart` (n, 64) float32 with `has_price`, `has_chart` (n); `volatilities` (n, 7) as
    `windows.volatilities` gives them, nan where unknown.
    """

    price: Array
    chart: Array
    has_price: Array
    has_chart: Array
    volatilities: Array


def pretrained(data: StockNet, recipe: PretrainRecipe, folder: Path, report: Report) -> tuple[Encoders, str]:
    """The encoders, from `folder` when they were trained there before on the same bars; and a hash that names them."""
    known = [bars.values[bars.days < np.datetime64(recipe.before)].tobytes() for bars in data.bars]
    digest = hashlib.sha256(json.dumps(asdict(recipe)).encode() + b"".join(known)).hexdigest()[:12]
    path = folder / f"encoders-{digest}.safetensors"
    torch.manual_seed(recipe.seed)
    encoders = Encoders(PriceEncoder(), ChartEncoder())
    both = torch.nn.ModuleDict({"price": encoders.price, "chart": encoders.chart})
    if path.is_file():
        both.load_state_dict(load_file(path))
    else:
        train_price(encoders.price, data, recipe, report)
        train_chart(encoders.chart, data, recipe, report)
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        save_file(both.state_dict(), partial, metadata={"recipe": json.dumps(asdict(recipe))})
        os.replace(partial, path)
    both.eval().requires_grad_(False)
    return encoders, digest


def train_price(encoder: PriceEncoder, data: StockNet, recipe: PretrainRecipe, report: Report) -> None:
    """Learn to foretell the next bar inside windows that end before the date."""
    rng = random.Random(f"price-{recipe.seed}")  # noqa: S311  (no secret is made here)
    market = _market(data)
    places = _places(data, recipe.before, BARS + 1)
    rng.shuffle(places)
    windows = torch.from_numpy(np.stack([_window(data, market, t, end) for t, end in places[: recipe.price_windows]]))
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=recipe.learning_rate)
    for epoch in range(recipe.price_epochs):
        for batch in torch.split(windows[torch.randperm(len(windows))], recipe.batch_size):
            _step(optimizer, encoder.loss(batch))
        report("price encoder", epoch + 1, recipe.price_epochs)


def train_chart(encoder: ChartEncoder, data: StockNet, recipe: PretrainRecipe, report: Report) -> None:
    """Learn to tell the attributes of charts whose bars are known, drawn in a random style, from 60 to 250 bars long."""
    rng = random.Random(f"chart-{recipe.seed}")  # noqa: S311  (no secret is made here)
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=recipe.learning_rate)
    total = recipe.chart_epochs * recipe.charts // recipe.batch_size
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, max(total, 1))
    for step in range(total):
        images, labels = drawn_charts(data, recipe.before, recipe.batch_size, rng)
        _step(optimizer, attribute_loss(encoder, images, labels))
        schedule.step()
        report("chart encoder", step + 1, total)


def drawn_charts(data: StockNet, before: str, count: int, rng: random.Random) -> tuple[Tensor, Tensor]:
    """Charts in random styles of bars before the date: images (count, 3, 224, 224) uint8, attributes (count, 5) int64.

    What a style does not show (volume without its pane, the last bar of a line) is UNREADABLE.
    """
    ends = [int(np.searchsorted(bars.days, np.datetime64(before))) for bars in data.bars]
    long_enough = [t for t, end in enumerate(ends) if end >= MIN_CHART_BARS]
    images, labels = [], []
    for _ in range(count):
        t = rng.choice(long_enough)
        end = rng.randint(MIN_CHART_BARS, ends[t])
        shown = rng.randint(MIN_CHART_BARS, 250) if rng.random() < 0.3 else 250
        weeks = weekly(data.bars[t].values[max(0, end - shown) : end, CHART_COLUMNS])
        style = random_style(rng)
        images.append(as_input(draw_weeks(weeks, style)))
        labels.append(np.where(_readable(style), chart_attributes(weeks), UNREADABLE))
    return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(labels))


def attribute_loss(encoder: ChartEncoder, images: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over attributes."""
    said = encoder.attributes(encoder(images))
    return torch.stack([cross_entropy(said[name], labels[:, i]) for i, name in enumerate(ATTRIBUTES)]).mean()


def item_vectors(data: StockNet, items: Items, encoders: Encoders, digest: str, folder: Path, report: Report) -> ItemVectors:
    """The vectors of every item, from `folder` when they were made there before for the same items and encoders."""
    key = hashlib.sha256(f"{digest} {VOLATILITIES}".encode() + items.ticker.tobytes() + items.bar.tobytes()).hexdigest()[:12]
    path = folder / f"items-{key}.safetensors"
    if path.is_file():
        with safe_open(path, framework="np") as file:
            return ItemVectors(*(file.get_tensor(name) for name in ItemVectors._fields))
    vectors = encode_items(data, items, encoders, report)
    partial = path.with_suffix(f".{os.getpid()}")
    save_file({name: torch.from_numpy(value) for name, value in vectors._asdict().items()}, partial)
    os.replace(partial, path)
    return vectors


def encode_items(data: StockNet, items: Items, encoders: Encoders, report: Report, batch_size: int = 128) -> ItemVectors:
    """Encode what was known before each item's day: its bars up to the one before, as a window and as a plain chart."""
    # While it learns, a normalisation reads the whole batch, later days included.
    for encoder in encoders:
        encoder.eval()
    market = _market(data)
    count = len(items)
    out = ItemVectors(
        np.zeros((count, PRICE_WIDTH), np.float32),
        np.zeros((count, CHART_WIDTH), np.float32),
        items.bar > BARS,
        items.bar >= MIN_CHART_BARS,
        np.full((count, len(VOLATILITIES)), np.nan),
    )
    places = list(zip(items.ticker.tolist(), items.bar.tolist(), strict=True))
    for rows in _chunks(np.flatnonzero(out.has_price), batch_size):
        windows = np.stack([_window(data, market, *places[i]) for i in rows])
        out.price[rows] = encoders.price(torch.from_numpy(windows)).numpy()
        for i in rows:
            t, end = places[i]
            out.volatilities[i] = volatilities(data.bars[t].values[:end], market[t][:end])
    charted = np.flatnonzero(out.has_chart)
    for n, rows in enumerate(_chunks(charted, batch_size)):
        images = [_drawn(data, *places[i]) for i in rows]
        out.chart[rows] = encoders.chart(torch.from_numpy(np.stack(images))).numpy()
        report("charts of the items", min((n + 1) * batch_size, len(charted)), len(charted))
    return out


def _market(data: StockNet) -> list[Array]:
    means = market_returns(data.bars)
    return [np.array([means.get(day, 0.0) for day in bars.days]) for bars in data.bars]


def _window(data: StockNet, market: list[Array], t: int, end: int) -> Array:
    window = price_window(data.bars[t].values[:end], market[t][:end])
    if window is None:
        raise ValueError(f"{data.tickers[t]} has too few bars before bar {end}")
    return window


def _drawn(data: StockNet, t: int, end: int) -> Array:
    weeks = weekly(data.bars[t].values[:end, CHART_COLUMNS])
    return as_input(draw_weeks(weeks, PLAIN))


def _readable(style: Style) -> list[bool]:
    hidden = {"volume": not style.volumes, "last": style.kind == "line"}
    return [not hidden.get(name, False) for name in ATTRIBUTES]


def _places(data: StockNet, before: str, needed: int) -> list[tuple[int, int]]:
    ends = [int(np.searchsorted(bars.days, np.datetime64(before))) for bars in data.bars]
    return [(t, end) for t, last in enumerate(ends) for end in range(needed, last + 1)]


def _chunks(rows: Array, size: int) -> Iterator[Array]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
