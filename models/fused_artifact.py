"""A trained fused model on disk: safetensors and a manifest, verified before use; it goes with one text model and no other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.artifact import MANIFEST, WEIGHTS, ArtifactError, read_manifest, sha256
from models.fused_scorer import FusedScorer

Array = np.ndarray[Any, Any]

FORMAT = 1
SHIPPED = Path(__file__).parent / "weights" / "fused"
NEEDED = ("name", "text_model", "alignment", "joint", "slots", "heads")
SERVED = ("mlp", "attention")
"""Alignment and joint representation that the graphs are built for."""


def write_fused(folder: Path, manifest: dict[str, Any], tensors: Mapping[str, Array]) -> FusedScorer:
    """Write weights and manifest (format and hashes are filled in here) and read them back, verified."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.asarray(value, order="C") for name, value in sorted(tensors.items())}, folder / WEIGHTS)
    complete = {**manifest, "format": FORMAT, "files": {WEIGHTS: sha256(folder / WEIGHTS)}}
    (folder / MANIFEST).write_text(json.dumps(complete, indent=2) + "\n")
    return load_fused(folder)


def load_fused(folder: Path = SHIPPED) -> FusedScorer:
    """Read a fused model, verify it and build its sessions.

    Raises:
        ArtifactError: something is missing, damaged, of another format or shape.
    """
    from safetensors.numpy import load

    absent = f"no fused model in {folder}: train one with `squall train fused`"
    manifest = read_manifest(folder, NEEDED, FORMAT, absent)
    if (manifest["alignment"], manifest["joint"]) != SERVED:
        raise ArtifactError(
            f"{folder} has {manifest['alignment']} and {manifest['joint']}: only {' and '.join(SERVED)} can serve"
        )
    version = f"{manifest['name']}-{FORMAT}-{manifest['files'][WEIGHTS][:8]}"
    try:
        scorer = FusedScorer(version, manifest, load((folder / WEIGHTS).read_bytes()))
        scorer.check()
    except Exception as error:
        # Whatever tensors that do not fit make libraries raise, it must not serve.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ArtifactError(f"{folder}: weights and manifest do not fit: {reason}") from None
    return scorer
