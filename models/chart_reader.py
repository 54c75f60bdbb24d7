"""What a chart's image shows, in words: the chart encoder and its heads on ONNX Runtime, from an artifact of its own."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from models.artifact import MANIFEST, WEIGHTS, ArtifactError, read_manifest, sha256
from models.chart_graph import build_chart_graph
from models.chart_image import ChartError, read_image
from models.engine_onnx import session
from models.heads import softmax
from models.windows import ATTRIBUTES

Array = np.ndarray[Any, Any]

FORMAT = 1
SHIPPED = Path(__file__).parent / "weights" / "chart"
NEEDED = ("name", "attributes", "temperatures", "trusted")
HEAD = "heads.{}.weight"
CLAUSES = {
    "trend": ("the price falls", "the price goes sideways", "the price rises"),
    "move": (
        "it ends near where it began",
        "from first to last it moves through about half of the range shown",
        "from first to last it moves through most of the range shown",
    ),
    "volatility": ("its swings are small for that range", "its swings are ordinary", "its swings are wide for that range"),
    "volume": ("volume fades", "volume stays about the same", "volume grows"),
    "last": ("the last bar is down", "the last bar is up"),
}
log = logging.getLogger("squall.model")

UNREADABLE = "What this chart shows cannot be read with any certainty."


class Reading(NamedTuple):
    """What is said of one attribute: its class, how likely it is, and whether the head is better than a guess on such images."""

    value: str
    probability: float
    trusted: bool


@dataclass(frozen=True, slots=True)
class ChartReader:
    """The encoder in a session. `figures` of the manifest say how often each head was right."""

    version: str
    manifest: dict[str, Any]
    _session: Any

    def read(self, image: bytes) -> dict[str, Reading]:
        """Read a PNG or JPEG.

        Raises:
            ChartError: it is neither, damaged or too large.
        """
        logits = self._session.run(["logits"], {"images": read_image(image)[None]})[0][0]
        told, start = {}, 0
        for name, classes in ATTRIBUTES.items():
            own = softmax(logits[start : start + len(classes)] / self.manifest["temperatures"][name])
            start += len(classes)
            best = int(own.argmax())
            told[name] = Reading(classes[best], round(float(own[best]), 2), bool(self.manifest["trusted"][name]))
        return told


def sentence(told: Mapping[str, Reading]) -> str:
    """One sentence of what is trusted."""
    clauses = [CLAUSES[name][ATTRIBUTES[name].index(own.value)] for name, own in told.items() if own.trusted]
    if not clauses:
        return UNREADABLE
    whole = clauses[0] if len(clauses) == 1 else f"{', '.join(clauses[:-1])}, and {clauses[-1]}"
    return f"{whole[0].upper()}{whole[1:]}."


def chart_words(image: bytes) -> tuple[str, str] | None:
    """A sentence about an image by the model that ships, and that model's version; None without one, or for what is no image."""
    model = _shipped()
    if model is None:
        return None
    try:
        return sentence(model.read(image)), model.version
    except ChartError as error:
        log.warning("a chart is not described: %s", error)
        return None


@cache
def _shipped() -> ChartReader | None:
    try:
        return load_chart_reader()
    except ArtifactError as error:
        log.warning("charts are not described: %s", error)
        return None


def write_chart_artifact(folder: Path, manifest: dict[str, Any], tensors: Mapping[str, Array]) -> ChartReader:
    """Write weights and manifest (format and hashes are filled in here) and read them back, verified."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(value) for name, value in sorted(tensors.items())}, folder / WEIGHTS)
    attributes = {name: list(classes) for name, classes in ATTRIBUTES.items()}
    complete = {**manifest, "format": FORMAT, "attributes": attributes, "files": {WEIGHTS: sha256(folder / WEIGHTS)}}
    (folder / MANIFEST).write_text(json.dumps(complete, indent=2) + "\n")
    return load_chart_reader(folder)


def load_chart_reader(folder: Path = SHIPPED) -> ChartReader:
    """Read an artifact, verify it and build its session.

    Raises:
        ArtifactError: something is missing, damaged, of another format, or does not fit.
    """
    from safetensors.numpy import load

    absent = f"no chart model in {folder}: train one with `squall train chart`"
    manifest = read_manifest(folder, NEEDED, FORMAT, absent)
    tensors = load((folder / WEIGHTS).read_bytes())
    for name, classes in ATTRIBUTES.items():
        found = tensors[HEAD.format(name)].shape[0] if HEAD.format(name) in tensors else "none"
        if found != len(classes) or manifest["attributes"].get(name) != list(classes):
            raise ArtifactError(f"{folder}: head {name} does not know the classes {', '.join(classes)}: retrain it")
    try:
        graph = build_chart_graph(tensors, list(ATTRIBUTES))
    except KeyError as error:
        raise ArtifactError(f"{folder / WEIGHTS} lacks {error}: retrain it") from None
    return ChartReader(f"{manifest['name']}-{FORMAT}-{manifest['files'][WEIGHTS][:8]}", manifest, session(graph, threads=1))
