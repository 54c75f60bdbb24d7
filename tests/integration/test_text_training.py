"""Training on a few rows of our own: a resume that is exact, and an artifact that serves."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from models.artifact import artifact_name
from models.engine import load_engine
from pipelines.training.datasets import Facts, Row, TextData, load_text_data
from squall.settings import ModelSettings, Settings
from tests.text_data import write_data

torch = pytest.importorskip("torch", reason="torch is installed for training and GPUs only")

from pipelines.training.answers import ask_once  # noqa: E402
from pipelines.training.evaluate_text import read_predictions, report_text, summarise, write_predictions  # noqa: E402
from pipelines.training.export_text import export_artifact  # noqa: E402
from pipelines.training.recipe import Recipe  # noqa: E402
from pipelines.training.train_text import Trainer, TrainingError  # noqa: E402


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TextData:
    return load_text_data(write_data(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def trained(data: TextData, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    """A run that was stopped after its second step and resumed, and the losses of one that was not stopped."""
    torch.set_num_threads(1)

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
    folder, losses = trained
    one, other = (load_file(folder / name / "checkpoint.safetensors") for name in ("straight", "halted"))
    assert one.keys() == other.keys()
    assert all((one[name] == other[name]).all() for name in one)
    assert losses[-1] < losses[0]


def test_a_checkpoint_of_another_recipe_or_of_none_is_refused(trained: tuple[Path, list[float]], data: TextData) -> None:
    folder, _ = trained
    few = replace(data, train=data.train[::9], held_out=data.held_out[:4])
    with pytest.raises(TrainingError, match="give the same options"):
        Trainer(few, Recipe(epochs=3, batch_size=8), folder / "straight").resume()
    with pytest.raises(TrainingError, match="nothing to resume"):
        Trainer(few, Recipe(), folder / "other").resume()


def test_an_exported_run_serves_and_is_judged(trained: tuple[Path, list[float]], data: TextData, tmp_path: Path) -> None:
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


def test_a_run_begins_with_an_artifact_and_learns_its_answers(
    trained: tuple[Path, list[float]], data: TextData, tmp_path: Path
) -> None:
    few = replace(data, train=data.train[::9], held_out=data.held_out[:4])
    artifact = export_artifact(trained[0] / "halted" / "best.safetensors", data, tmp_path / "artifact", threads=1)
    model = ModelSettings(dir=tmp_path / "artifact", device="cpu", threads=1)
    answers = ask_once(load_engine(Settings(home=tmp_path, model=model)), few.train, tmp_path / "kept")
    assert {(len(answer["sentiment"]), len(answer["topic"])) for answer in answers.values()} == {(3, len(data.topics))}
    recipe = Recipe(epochs=1, batch_size=8, start=artifact.version, rank=8)
    first: dict[str, float] = {}
    for name, told in (("taught", answers), ("alone", {})):
        trainer = Trainer(few, recipe, tmp_path / name, start=artifact, answers=told)
        assert trainer.recipe.rank == artifact.manifest["lora"]["rank"] != recipe.rank
        for parameter, value in trainer.trainable.items():
            assert (value.detach().numpy() == artifact.tensors[artifact_name(parameter)]).all()
        losses: list[float] = []
        trainer.run(lambda *step, losses=losses: losses.append(step[3]))
        first[name] = losses[0]
    assert first["taught"] > first["alone"]

    # Without another's answers a run learns its own of what it reads, also of thinned words: only a person's label moves it.
    person = replace(few.train[0], facts=Facts(datetime(2026, 1, 1, tzinfo=UTC), "story", "", True, 1, 1.0))
    alone = replace(recipe, kept=1.0, thinned=0.6, thinned_others=0.5, batch_size=len(few.train) + 1)
    greatest: list[float] = []
    for rows in (few.train, [*few.train, person]):
        trainer = Trainer(replace(few, train=rows), alone, tmp_path / "own", start=artifact)
        moved = trainer.trainable.values()
        trainer.optimizer.register_step_pre_hook(
            lambda *_, moved=moved: greatest.append(max(float(p.grad.abs().max()) for p in moved if p.grad is not None))
        )
        trainer.run(lambda *_: None)
    assert greatest[0] < 1e-4 < 1e-3 < greatest[1]

    # What is kept whole does not follow the labels, unless a person gave them; and blended weights stay where the run began.
    other = [replace(row, label=(row.label + 1) % 3) for row in few.train]
    facts = Facts(datetime(2026, 1, 1, tzinfo=UTC), "story", "", True, 1, 1.0)

    def first_loss(rows: list[Row], kept: float, blend: float = 1.0) -> float:
        chosen = dict(zip(rows, answers.values(), strict=True))
        trainer = Trainer(
            replace(few, train=rows), replace(recipe, kept=kept, blend=blend), tmp_path / "kept", start=artifact, answers=chosen
        )
        losses: list[float] = []
        trainer.run(lambda *step: losses.append(step[3]))
        return losses[0]

    assert first_loss(few.train, 1.0) == first_loss(other, 1.0)
    assert first_loss(few.train, 0.0) != first_loss(other, 0.0)
    people = [[replace(row, facts=facts) for row in rows] for rows in (few.train, other)]
    assert first_loss(people[0], 1.0) != first_loss(people[1], 1.0)
    first_loss(few.train, 1.0, blend=0.0)
    best, last = (load_file(tmp_path / "kept" / f"{name}.safetensors") for name in ("best", "checkpoint"))
    assert all((best[name] == artifact.tensors[artifact_name(name)]).all() for name in best)
    assert any((best[name] != last[name]).any() for name in best)
