"""Batches for the fused network: text means from cumulative sums, encoded prices and charts, and labels, of one split."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from models.alignment import MODALITIES
from models.fusion import FusedInputs, Targets
from pipelines.training.fused_config import Task
from pipelines.training.pretrain import ItemVectors
from pipelines.training.stocknet import (
    DOWN,
    LAG_DAYS,
    Items,
    StockNet,
    direction,
    published_split,
    quarter_split,
    split_hash,
    usable_texts,
)

Array = np.ndarray[Any, Any]

TRAIN, DEV, TEST = 0, 1, 2


class FusedData:
    """The items of one task and split. `quarter` as in `fused_config.Run`."""

    def __init__(
        self, data: StockNet, items: Items, vectors: ItemVectors, texts: list[Array], task: Task, quarter: int | None
    ) -> None:
        self.items, self.vectors, self.task = items, vectors, task
        self.split = published_split(items.day) if quarter is None else quarter_split(items.day, quarter)
        self.ids = items.ids(data.tickers)
        self.hash = split_hash(self.ids, self.split)
        returns = {"adjusted": items.adjusted, "raw": items.raw, "tradable": items.session}[task]
        labels = direction(returns)
        self.direction = np.where(labels < 0, np.nan, labels)
        self.fall = (items.adjusted < DOWN).astype(np.float64)
        self.sums = [TextSums(texts, usable_texts(data, items, self.split, part)) for part in (TRAIN, DEV, TEST)]

    def rows(self, part: int) -> Array:
        """The items of a part, in order of time."""
        return np.flatnonzero(self.split == part)

    def inputs(self, rows: Array, part: int, modalities: tuple[str, ...] = MODALITIES, rng: Any = None) -> FusedInputs:
        """The network's inputs of some items. With `rng` each item's texts are, by chance, cut to a random prefix in time."""
        slots = self.items.slots[rows].copy()
        if self.task != "tradable":
            slots[:, LAG_DAYS] = 0
        if rng is not None:
            first, last = slots[:, 0, 0], slots[:, LAG_DAYS - 1 if self.task != "tradable" else LAG_DAYS, 1]
            cut = first + np.ceil(rng.random(len(rows)) * (last - first)).astype(np.int64)
            cut = np.where(rng.random(len(rows)) < 0.5, last, cut)
            slots = np.minimum(slots, cut[:, None, None])
        texts, has_text = self.sums[part].means(self.items.ticker[rows], slots)
        has_text &= "text" in modalities
        has_price = self.vectors.has_price[rows] & ("price" in modalities)
        has_chart = self.vectors.has_chart[rows] & ("chart" in modalities)
        mask = np.concatenate([has_text, has_price[:, None], has_chart[:, None]], axis=1)
        return FusedInputs(
            torch.from_numpy(texts),
            torch.from_numpy(self.vectors.price[rows]),
            torch.from_numpy(self.vectors.chart[rows]),
            torch.from_numpy(mask),
            torch.from_numpy(self.vectors.volatilities[rows]).float(),
        )

    def targets(self, rows: Array) -> Targets:
        """The labels of some items, and what the contrastive loss needs to know of them."""
        day = self.items.day[rows].astype("datetime64[D]").astype(np.int64)
        return Targets(
            torch.from_numpy(self.direction[rows]).float(),
            torch.from_numpy(self.fall[rows]).float(),
            torch.from_numpy(self.items.ticker[rows]),
            torch.from_numpy(day),
        )

    def batches(self, part: int, size: int, seed: int | None = None) -> Iterator[Array]:
        """Rows of a part, shuffled when a seed is given."""
        rows = self.rows(part)
        if seed is not None:
            rows = np.random.default_rng(seed).permutation(rows)
        for start in range(0, len(rows), size):
            yield rows[start : start + size]


class TextSums:
    """Cumulative sums of the usable text vectors of each company, from which the mean of any range is two look-ups."""

    def __init__(self, texts: list[Array], usable: list[Array]) -> None:
        self.starts = np.cumsum([0, *(len(own) + 1 for own in texts)])
        width = texts[0].shape[1]
        self.sums = np.zeros((int(self.starts[-1]), width), dtype=np.float32)
        self.counts = np.zeros(int(self.starts[-1]), dtype=np.int64)
        for start, own, keep in zip(self.starts, texts, usable, strict=False):
            inside = slice(start + 1, start + 1 + len(own))
            np.cumsum(own * keep[:, None], axis=0, dtype=np.float32, out=self.sums[inside])
            self.counts[inside] = np.cumsum(keep)

    def means(self, companies: Array, ranges: Array) -> tuple[Array, Array]:
        """Means over ranges of a company's texts: (rows, slots, 2) to (rows, slots, width) float32, and which are not empty."""
        places = ranges + self.starts[companies][:, None, None]
        counts = self.counts[places[..., 1]] - self.counts[places[..., 0]]
        sums = self.sums[places[..., 1]] - self.sums[places[..., 0]]
        return sums / np.maximum(counts, 1)[..., None].astype(np.float32), counts > 0
