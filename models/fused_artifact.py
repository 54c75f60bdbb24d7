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

from models.artifact import MANIFEST, WEIGHTS, ArtifactError, read_manifest, sha256
from models.chart import ChartEncoder
from models.fusion import FusedNetwork
from models.price import PriceEncoder

Array = np.ndarray[Any, Any]

FORMAT = 1
NEEDED = ("text_model", "alignment", "joint", "slots", "heads")


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
    absent = f"no fused model in {folder}: train one with `squall train fused`"
    manifest = read_manifest(folder, NEEDED, FORMAT, absent)
    if manifest["text_model"] != text_model:
        raise ArtifactError(f"{folder} goes with the text model {manifest['text_model']}, not with {text_model}: train it anew")
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
