"""The fused model that serves, from finished runs: the walk's last fold, its best seed, only heads that proved themselves."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import load_file

from models.fused_artifact import FusedArtifact, write_fused
from models.fusion import FusedNetwork
from pipelines.training.evaluate_fused import SINGLE, Figures
from pipelines.training.fused_config import QUARTERS, FusedConfig, runs_of
from pipelines.training.fused_runs import Material
from pipelines.training.stocknet import SLOTS
from pipelines.training.train_fused import BEST, SUMMARY
from pipelines.training.train_text import TrainingError


def export_fused(
    material: Material, config: FusedConfig, runs: Path, told: Figures, text_model: str, folder: Path
) -> FusedArtifact:
    """Write the artifact. `told` are the figures of the same runs, which decide what is on.

    Raises:
        TrainingError: the configuration has no fused runs of the walk through 2015.
    """
    chosen = [run for run in runs_of(config) if run.group == "adjusted/fused" and run.quarter == QUARTERS - 1]
    if not chosen:
        raise TrainingError("nothing to export: the configuration trains no fused model on the market-adjusted task")
    done = {run: json.loads((runs / run.name / SUMMARY).read_text()) for run in chosen}
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
        "training": {"run": best.name, "split": done[best]["split"], "config": config.model_dump(mode="json")},
        "figures": {name: told[name] for name in ("tasks", "impact") if name in told},
    }
    return write_fused(folder, manifest, network, material.encoders.price, material.encoders.chart, material.reduction)


def heads_that_ship(told: Figures) -> dict[str, bool]:
    """Impact where it beats the 60-day volatility, direction where it beats each single modality; both by their intervals."""
    gaps = told.get("tasks", {}).get("adjusted", {}).get("B", {}).get("fused_less", {})
    beats = all(name in gaps and gaps[name][1] > 0 for name in SINGLE)
    return {"impact": bool(told.get("impact", {}).get("ships", False)), "direction": beats}
