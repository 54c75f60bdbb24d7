"""Where registered artifacts are kept, and how a version is opened: verified whole before it may serve."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.artifact import MANIFEST, SHIPPED, Artifact, ArtifactError, load_artifact
from models.artifact import sha256 as file_hash
from models.engine import TextEngine, engine_of
from models.passages import Passage
from squall import registry

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from models.engine import Engine
    from squall.registry import Version
    from squall.settings import Settings

SHIPPED_URL = "shipped:text"
"""The weights that come with the package, wherever that is installed."""
SENTIMENTS = ("negative", "neutral", "positive")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
ROUNDED = 2e-3
"""How far the sum of probabilities may be from one: each is rounded to 4 digits."""
SENTENCES = (
    Passage("Nokia gains as Ericsson slumps on a profit warning", (0, 5)),
    Passage("Nokia gains as Ericsson slumps on a profit warning", (15, 23)),
    Passage("The company reports record results and raises its dividend."),
    Passage("Shares plunge after the regulator opens a fraud investigation."),
    Passage(""),
)


def keep(artifact: Artifact, settings: Settings) -> str:
    """Copy an artifact to where the settings keep models; returns its address there.

    Raises:
        ArtifactError: the place cannot be written, or names in the manifest are no plain ones.
    """
    from fsspec.core import url_to_fs

    if artifact.folder.resolve() == SHIPPED.resolve():
        return SHIPPED_URL
    names = [*artifact.manifest["files"], MANIFEST]
    if odd := [name for name in (artifact.version, *names) if not NAME.fullmatch(name)]:
        raise ArtifactError(f"{artifact.folder}: {odd[0]!r} is no plain name")
    place = settings.model.store or str((settings.home / "models").expanduser().resolve())
    try:
        system, root = url_to_fs(place)
        target = f"{root.rstrip('/')}/{artifact.version}"
        system.makedirs(target, exist_ok=True)
        # The manifest comes last: what has none is no model yet.
        for name in names:
            content = (artifact.folder / name).read_bytes()
            if not (system.exists(f"{target}/{name}") and system.cat_file(f"{target}/{name}") == content):
                system.pipe_file(f"{target}/{name}", content)
        return str(system.unstrip_protocol(target))
    except (OSError, ValueError, ImportError) as error:
        raise ArtifactError(f"{artifact.version} cannot be kept in {place}: {_line(error)}") from None


def open_version(settings: Settings, version: str, url: str, sha256: str) -> TextEngine:
    """The engine of a registered version, after its hashes, its shapes and a smoke test.

    Raises:
        ArtifactError: it must not serve; the message is one line that says why.
    """
    try:
        folder = fetch(settings, url, sha256)
        if file_hash(folder / MANIFEST) != sha256:
            raise ArtifactError("its manifest is not the one that was registered")
        artifact = load_artifact(folder, settings.model.base)
        if artifact.version != version:
            raise ArtifactError(f"its files are those of {artifact.version}")
        engine = engine_of(artifact, settings)
        smoke_test(engine)
    except Exception as error:
        # Whatever a damaged or foreign artifact makes libraries raise, it must not serve.
        raise ArtifactError(f"model {version} is refused: {_line(error)}") from error
    return engine


def fetch(settings: Settings, url: str, sha256: str) -> Path:
    """The folder of an artifact; one that lies elsewhere is copied to SQUALL_HOME once.

    Raises:
        ArtifactError: there is none, or its manifest is not the one that was registered.
        OSError: the place does not answer.
    """
    from fsspec.core import url_to_fs
    from fsspec.implementations.local import LocalFileSystem

    if url == SHIPPED_URL:
        return SHIPPED
    system, path = url_to_fs(url)
    if isinstance(system, LocalFileSystem):
        if not (Path(path) / MANIFEST).is_file():
            raise ArtifactError(f"there is no model in {path}")
        return Path(path)
    copies = settings.home / "models" / "fetched"
    folder = copies / sha256[:16]
    if folder.is_dir():
        return folder
    content = system.cat_file(f"{path}/{MANIFEST}")
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ArtifactError("its manifest is not the one that was registered")
    copies.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=copies))
    try:
        (partial / MANIFEST).write_bytes(content)
        for name in json.loads(content)["files"]:
            (partial / name).write_bytes(system.cat_file(f"{path}/{name}"))
        load_artifact(partial)
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        if not folder.is_dir():
            raise
    return folder


def smoke_test(engine: Engine) -> None:
    """Score a few sentences: probabilities that are finite, sum to one, differ, and are the same alone as in a batch.

    Raises:
        ArtifactError: saying what is not as it must be.
    """
    if tuple(engine.sentiment_labels) != SENTIMENTS:
        raise ArtifactError(f"its sentiments are {', '.join(engine.sentiment_labels)}, wanted {', '.join(SENTIMENTS)}")
    answers = engine.score(SENTENCES)
    for name, labels in (("sentiment", engine.sentiment_labels), ("topic", engine.topic_labels)):
        found = np.array([getattr(answer, name) for answer in answers])
        if found.shape != (len(SENTENCES), len(labels)):
            raise ArtifactError(f"smoke test: {name} has shape {found.shape}, wanted {(len(SENTENCES), len(labels))}")
        if not np.isfinite(found).all() or found.min() < 0 or abs(found.sum(axis=1) - 1).max() > ROUNDED:
            raise ArtifactError(f"smoke test: {name} probabilities are not finite, or do not sum to one")
    if all(answer.sentiment == answers[0].sentiment for answer in answers):
        raise ArtifactError("smoke test: it says the same of every sentence")
    if engine.score(SENTENCES[:1])[0] != answers[0]:
        raise ArtifactError("smoke test: a sentence scores otherwise alone than in a batch")


def described(artifact: Artifact) -> tuple[dict[str, Any], str]:
    """What the registry keeps of an artifact: its manifest, with the labels as rows of scores refer to them, and its hash."""
    labels = {"sentiment_labels": artifact.labels("sentiment"), "topic_labels": artifact.labels("topic")}
    return {**artifact.manifest, **labels}, file_hash(artifact.folder / MANIFEST)


def register(
    connection: Connection, artifact: Artifact, url: str, *, actor: str, figures: Mapping[str, float] | None = None
) -> Version:
    """Register an artifact that is kept at an address; `figures` stand beside those of its manifest."""
    manifest, digest = described(artifact)
    metrics = {**measured(manifest), **(figures or {})}
    return registry.register(
        connection, artifact.version, url=url, sha256=digest, manifest=manifest, metrics=metrics, actor=actor
    )


def measured(manifest: dict[str, Any]) -> dict[str, float]:
    """Figures of the last epoch in a manifest."""
    epochs: Sequence[Any] = manifest.get("held_out") or [{}]
    return {name: float(value) for name, value in dict(epochs[-1]).items() if name != "epoch" and isinstance(value, int | float)}


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    said = lines[0] if lines else ""
    return said if isinstance(error, ArtifactError) else f"{type(error).__name__}: {said}"[:500]
