"""Artifacts in the store, what a version is verified by, and the line of champions."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from models.artifact import MANIFEST, SHIPPED, ArtifactError, load_artifact, sha256
from models.engine import TextScore
from models.passages import Passage
from models.store import SHIPPED_URL, fetch, keep, open_version, smoke_test
from squall.registry import Promotion, earlier_champions
from squall.settings import ModelSettings, Settings
from tests.artifacts import damage, recalibrated


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", model=ModelSettings(device="cpu", threads=1))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Settings]:
    """A store that is no folder of this machine."""
    MemoryFileSystem.store.clear()
    yield Settings(home=tmp_path / "home", model=ModelSettings(device="cpu", threads=1, store="memory://models"))
    MemoryFileSystem.store.clear()


def test_what_ships_is_kept_where_it_is(settings: Settings) -> None:
    assert keep(load_artifact(SHIPPED), settings) == SHIPPED_URL
    assert fetch(settings, SHIPPED_URL, "") == SHIPPED


def test_a_kept_artifact_is_whole_and_a_damaged_copy_is_restored(settings: Settings, tmp_path: Path) -> None:
    artifact = load_artifact(recalibrated(tmp_path / "new", 2.0))
    url = keep(artifact, settings)
    digest = sha256(artifact.folder / MANIFEST)
    kept = fetch(settings, url, digest)
    assert load_artifact(kept).version == artifact.version != load_artifact(SHIPPED).version
    damage(kept)
    with pytest.raises(ArtifactError, match="damaged"):
        open_version(settings, artifact.version, url, digest)
    assert keep(artifact, settings) == url
    assert load_artifact(kept).version == artifact.version


def test_a_manifest_that_was_altered_is_refused_though_it_fits_its_files(settings: Settings, tmp_path: Path) -> None:
    artifact = load_artifact(recalibrated(tmp_path / "new", 2.0))
    url, digest = keep(artifact, settings), sha256(artifact.folder / MANIFEST)
    kept = fetch(settings, url, digest)
    manifest = json.loads((kept / MANIFEST).read_text())
    manifest["temperatures"]["sentiment"] = 9.0
    (kept / MANIFEST).write_text(json.dumps(manifest))
    assert load_artifact(kept).version != artifact.version
    with pytest.raises(ArtifactError, match="not the one that was registered"):
        open_version(settings, artifact.version, url, digest)


def test_an_artifact_from_elsewhere_is_fetched_once_and_never_by_halves(elsewhere: Settings, tmp_path: Path) -> None:
    artifact = load_artifact(recalibrated(tmp_path / "new", 2.0))
    url, digest = keep(artifact, elsewhere), sha256(artifact.folder / MANIFEST)
    weights = next(name for name in MemoryFileSystem.store if name.endswith("safetensors"))
    whole = MemoryFileSystem.store.pop(weights)
    with pytest.raises(FileNotFoundError):
        fetch(elsewhere, url, digest)
    assert list((elsewhere.home / "models" / "fetched").iterdir()) == []
    MemoryFileSystem.store[weights] = whole
    folder = fetch(elsewhere, url, digest)
    MemoryFileSystem.store.clear()
    assert fetch(elsewhere, url, digest) == folder
    assert load_artifact(folder).version == artifact.version


def test_names_that_lead_out_of_the_folder_are_refused(settings: Settings, tmp_path: Path) -> None:
    folder = recalibrated(tmp_path / "new", 2.0)
    manifest = json.loads((folder / MANIFEST).read_text())
    (tmp_path / "secret").write_text("nothing")
    manifest["files"]["../secret"] = sha256(tmp_path / "secret")
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="no plain name"):
        keep(load_artifact(folder), settings)


class Said:
    """Says what it is told to, in order."""

    version = "said"
    sentiment_labels: tuple[str, ...] = ("negative", "neutral", "positive")
    topic_labels: tuple[str, ...] = ("a", "b")

    def __init__(self, first: Any = (0.2, 0.3, 0.5), others: Any = (0.3, 0.3, 0.4), topic: Any = (0.4, 0.6)) -> None:
        self.first, self.others, self.topic = first, others, topic

    def score(self, passages: Sequence[Passage]) -> list[TextScore]:
        return [TextScore(self.others if place else self.first, self.topic) for place in range(len(passages))]


class Moody(Said):
    """Depends on what else is in the batch."""

    def score(self, passages: Sequence[Passage]) -> list[TextScore]:
        alone = len(passages) == 1
        return [TextScore((0.1, 0.3, 0.6), self.topic)] if alone else super().score(passages)


def test_a_sound_model_passes_the_smoke_test() -> None:
    smoke_test(Said())


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Said(first=(float("nan"), 0.5, 0.5)), "not finite"),
        (Said(first=(0.2, 0.3, 0.6)), "sum to one"),
        (Said(first=(-0.2, 0.6, 0.6)), "not finite"),
        (Said(topic=(0.4, 0.4, 0.2)), "topic has shape"),
        (Said(others=(0.2, 0.3, 0.5)), "the same of every sentence"),
        (Moody(), "alone than in a batch"),
    ],
)
def test_the_smoke_test_refuses(model: Said, reason: str) -> None:
    with pytest.raises(ArtifactError, match=reason):
        smoke_test(model)


def test_other_sentiments_are_refused() -> None:
    model = Said()
    model.sentiment_labels = ("positive", "neutral", "negative")
    with pytest.raises(ArtifactError, match="wanted negative, neutral, positive"):
        smoke_test(model)


def audit(*acts: tuple[str, str]) -> list[Promotion]:
    """The newest first."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return [Promotion(at, "ana", kind, "why", None, to, {}, None) for kind, to in reversed(acts)]


@pytest.mark.parametrize(
    ("acts", "expected"),
    [
        ([("first", "a")], []),
        ([("first", "a"), ("promote", "b"), ("promote", "c")], ["b", "a"]),
        ([("first", "a"), ("promote", "b"), ("promote", "c"), ("rollback", "b")], ["a"]),
        ([("first", "a"), ("promote", "b"), ("rollback", "a"), ("promote", "c")], ["a"]),
        ([("first", "a"), ("promote", "b"), ("promote", "a")], ["b", "a"]),
    ],
)
def test_a_rollback_goes_to_the_champion_before_and_forgets_what_it_left(
    acts: list[tuple[str, str]], expected: list[str]
) -> None:
    assert earlier_champions(audit(*acts)) == expected
