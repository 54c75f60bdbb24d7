"""A trained fused model on disk: safetensors and a manifest, verified before use; it goes with one text model and no other."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save_file
from torch import Tensor, nn

from models.artifact import MANIFEST, WEIGHTS, ArtifactError, sha256
from models.chart import ChartEncoder
from models.fusion import FusedNetwork
from models.price import PriceEncoder

Array = np.ndarray[Any, Any]

FORMAT = 1
NEEDED = ("format", "text_model", "alignment", "joint", "slots", "heads", "files")


@dataclass(frozen=True, slots=True)
class TextReduction:
    """The leading principal components of text vectors: `mean` (768) and `components` (768, width), float32."""

    mean: Array
    components: Array

    def __call__(self, vectors: Array) -> Array:
        """(texts, 768) to (texts, width) float32."""
        return np.asarray((vectors.astype(np.float32) - self.mean) @ self.components)


@dataclass(frozen=True, slots=True)
class FusedArtifact:
    """A verified fused model. `heads` of the manifest says which of direction and impact are on."""

    manifest: dict[str, Any]
    network: FusedNetwork
    price: PriceEncoder
    chart: ChartEncoder
    reduction: TextReduction


def write_fused(
    folder: Path,
    manifest: dict[str, Any],
    network: FusedNetwork,
    price: PriceEncoder,
    chart: ChartEncoder,
    reduction: TextReduction,
) -> FusedArtifact:
    """Write weights and manifest (format and hashes are filled in here) and read them back, verified."""
    folder.mkdir(parents=True, exist_ok=True)
    modules: dict[str, nn.Module] = {"network": network, "price": price, "chart": chart}
    tensors = {f"{kind}.{name}": value for kind, module in modules.items() for name, value in module.state_dict().items()}
    tensors |= {"text.mean": torch.from_numpy(reduction.mean), "text.components": torch.from_numpy(reduction.components)}
    save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, folder / WEIGHTS)
    complete = {**manifest, "format": FORMAT, "files": {WEIGHTS: sha256(folder / WEIGHTS)}}
    (folder / MANIFEST).write_text(json.dumps(complete, indent=2) + "\n")
    return load_fused(folder, complete["text_model"])


def load_fused(folder: Path, text_model: str) -> FusedArtifact:
    """Read a fused model and verify it.

    Raises:
        ArtifactError: something is missing, damaged, of another format or shape, or belongs to another text model.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text())
    except OSError:
        raise ArtifactError(f"no fused model in {folder}: train one with `squall train fused`") from None
    except ValueError as error:
        raise ArtifactError(f"{path} is not JSON: {error}") from None
    if missing := [name for name in NEEDED if name not in manifest]:
        raise ArtifactError(f"{path} lacks {', '.join(missing)}")
    if manifest["format"] != FORMAT:
        raise ArtifactError(f"{path} has format {manifest['format']}; this version of Squall reads format {FORMAT}")
    if manifest["text_model"] != text_model:
        raise ArtifactError(f"{folder} goes with the text model {manifest['text_model']}, not with {text_model}: train it anew")
    if sha256(folder / WEIGHTS) != manifest["files"].get(WEIGHTS):
        raise ArtifactError(f"{folder / WEIGHTS} is damaged (its SHA-256 is not the manifest's): restore or retrain it")
    tensors = load((folder / WEIGHTS).read_bytes())
    try:
        reduction = TextReduction(tensors["text.mean"].numpy(), tensors["text.components"].numpy())
        price, chart = PriceEncoder(), ChartEncoder()
        widths = [len(tensors[f"network.mean_{m}"]) for m in range(3)]
        network = FusedNetwork(manifest["alignment"], manifest["joint"], manifest["slots"], widths)
        for kind, module in (("network", network), ("price", price), ("chart", chart)):
            module.load_state_dict(_own(tensors, kind))
            module.eval().requires_grad_(False)
    except (KeyError, RuntimeError) as error:
        raise ArtifactError(f"{folder}: weights and manifest do not fit: {str(error).splitlines()[0]}") from None
    return FusedArtifact(manifest, network, price, chart, reduction)


def _own(tensors: dict[str, Tensor], kind: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{kind}."): value for name, value in tensors.items() if name.startswith(f"{kind}.")}
