"""The fused model that serves, from finished runs: the walk's last fold, its best seed, only heads that proved themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file
from torch import nn

from models.fused_artifact import SERVED, write_fused
from models.fused_scorer import FusedScorer
from models.fusion import FusedNetwork
from pipelines.training.evaluate_fused import SINGLE, Figures
from pipelines.training.export_text import git_revision
from pipelines.training.fused_config import QUARTERS, FusedConfig, runs_of
from pipelines.training.fused_runs import Material
from pipelines.training.pretrain import Encoders, TextReduction
from pipelines.training.stocknet import SLOTS
from pipelines.training.train_fused import BEST, SUMMARY
from pipelines.training.train_text import TrainingError

Array = np.ndarray[Any, Any]

TRAINING_ONLY = ("network.decoders.", "network.direction.", "price.forecast.", "chart.heads.")


def export_fused(
    material: Material, config: FusedConfig, runs: Path, told: Figures, text_model: str, folder: Path
) -> FusedScorer:
    """Write the artifact. `told` are the figures of the same runs, which decide what is on.

    Raises:
        TrainingError: the configuration has no fused runs of the walk through 2015, or what it trains cannot serve.
    """
    chosen = [run for run in runs_of(config) if run.group == "adjusted/fused" and run.quarter == QUARTERS - 1]
    if not chosen:
        raise TrainingError("nothing to export: the configuration trains no fused model on the market-adjusted task")
    done = {run: json.loads((runs / run.name / SUMMARY).read_text()) for run in chosen}
    if (config.alignment, config.joint) != SERVED:
        raise TrainingError(f"nothing to export: only {' and '.join(SERVED)} can serve")
    best = min(chosen, key=lambda run: float(done[run]["best_loss"]))
    vectors = material.vectors
    sizes = (material.texts[0].shape[1], vectors.price.shape[1], vectors.chart.shape[1])
    network = FusedNetwork(best.alignment, best.joint, SLOTS, sizes)
    network.load_state_dict(load_file(runs / best.name / BEST))
    manifest = {
        "name": "fused",
        "text_model": text_model,
        "alignment": best.alignment,
        "joint": best.joint,
        "slots": SLOTS,
        "heads": heads_that_ship(told),
        "training": {
            "data": "StockNet",
            "run": best.name,
            "split": done[best]["split"],
            "config": config.model_dump(mode="json"),
        },
        "figures": {name: told[name] for name in ("tasks", "impact") if name in told},
        "git": git_revision(),
    }
    return write_fused(folder, manifest, served_tensors(network, material.encoders, material.reduction))


def served_tensors(network: FusedNetwork, encoders: Encoders, reduction: TextReduction) -> dict[str, Array]:
    """What the artifact keeps: all that impact is computed from, and neither decoders nor the heads of pre-training."""
    modules: dict[str, nn.Module] = {"network": network, "price": encoders.price, "chart": encoders.chart}
    tensors = {
        f"{kind}.{name}": value.detach().cpu().numpy()
        for kind, module in modules.items()
        for name, value in module.state_dict().items()
        if value.is_floating_point()
    }
    kept = {name: value for name, value in tensors.items() if not name.startswith(TRAINING_ONLY)}
    return {**kept, "text.mean": reduction.mean, "text.components": reduction.components}


def heads_that_ship(told: Figures) -> dict[str, bool]:
    """Impact where it beats the 60-day volatility, direction where it beats each single modality; both by their intervals."""
    gaps = told.get("tasks", {}).get("adjusted", {}).get("B", {}).get("fused_less", {})
    beats = all(name in gaps and gaps[name][1] > 0 for name in SINGLE)
    return {"impact": bool(told.get("impact", {}).get("ships", False)), "direction": beats}
