"""All runs of a configuration, one after the other: what they share is made once, what is done is not done again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.engine import TextEngine
from pipelines.training.fused_config import FusedConfig, Run, runs_of
from pipelines.training.fused_data import FusedData
from pipelines.training.pretrain import Encoders, ItemVectors, TextReduction, fit_reduction, item_vectors, pretrained
from pipelines.training.stocknet import Items, StockNet, load_stocknet, make_items
from pipelines.training.stocknet_texts import text_vectors
from pipelines.training.tracking import tracked
from pipelines.training.train_fused import SUMMARY, FusedTrainer

Array = np.ndarray[Any, Any]
Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Material:
    """What every run reads: items, vectors of their prices and charts, reduced vectors of all texts; and what made them."""

    data: StockNet
    items: Items
    vectors: ItemVectors
    texts: list[Array]
    encoders: Encoders
    reduction: TextReduction


def prepare(data_dir: Path, engine: TextEngine, config: FusedConfig, cache: Path, report: Report) -> Material:
    """Text vectors, encoders and item vectors; each is made once and kept in `cache`.

    Raises:
        DataError: the data is missing.
    """
    data = load_stocknet(data_dir)
    items = make_items(data)
    recipe = config.recipe()
    texts = text_vectors(data, engine, cache, config.mask_names, lambda done, count: report("text vectors", done, count))
    encoders, digest = pretrained(data, recipe, cache, report)
    vectors = item_vectors(data, items, encoders, digest, cache, report)
    reduction = fit_reduction(data, texts, recipe.before)
    return Material(data, items, vectors, [reduction(own) for own in texts], encoders, reduction)


def train_all(
    material: Material,
    config: FusedConfig,
    out: Path,
    home: Path,
    device: str,
    resume: bool,
    stop: threading.Event,
    report: Report,
) -> list[Run]:
    """Train every run of the configuration into a folder of its own below `out`; returns those that are not done.

    With `resume`, runs that are done are left as they are and a begun one goes on from its last epoch.
    """
    runs = list(runs_of(config))
    left = list(runs)
    shared: tuple[tuple[Any, ...], FusedData] | None = None
    for run in runs:
        folder = out / run.name
        if resume and (folder / SUMMARY).is_file():
            left.remove(run)
            continue
        if stop.is_set():
            continue
        fold = (run.task, run.quarter)
        if shared is None or shared[0] != fold:
            shared = fold, FusedData(material.data, material.items, material.vectors, material.texts, run.task, run.quarter)
        width = material.texts[0].shape[1]
        trainer = FusedTrainer(shared[1], width, run, config, folder, torch.device(device), stop=stop)
        begun = resume and trainer.resume()
        with tracked(folder, home, run.name, {"name": run.name, **config.model_dump(mode="json")}, begun) as track:
            trainer.train(track, report)
            if trainer.finished:
                trainer.write_predictions()
                track.report(folder / SUMMARY)
                left.remove(run)
    return left
