"""A text model on another encoder than the package's: a kill costs nothing but time, and what it leaves serves on torch."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner

from models import artifact, engine
from models.artifact import Artifact, ArtifactError, load_artifact
from models.engine import load_engine
from models.heads import head_inputs
from models.passages import Passage
from models.store import described, open_version
from pipelines.training.answers import Answers, ask_once
from pipelines.training.datasets import Row, TextData, load_text_data, with_rows
from pipelines.training.marking import marked_passage
from squall.cli import app
from squall.errors import UsageError
from squall.settings import ModelSettings, Settings, get_settings
from tests.stocknet_data import write_stocknet
from tests.text_data import write_data, write_encoder

torch = pytest.importorskip("torch", reason="torch is installed for training and GPUs only")

from models.text import collate  # noqa: E402
from pipelines.training import train_text  # noqa: E402
from pipelines.training.export_text import export_artifact  # noqa: E402
from pipelines.training.recipe import TEACHER, Recipe  # noqa: E402
from pipelines.training.teaching import lesson  # noqa: E402
from pipelines.training.train_text import Trainer, TrainingError, encoder_files  # noqa: E402

RECIPE = Recipe(**TEACHER | {"batch_size": 16, "base": "tiny"})


class KilledError(Exception):
    """Stands for a signal that leaves no time to write anything."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TextData:
    whole = load_text_data(write_data(tmp_path_factory.mktemp("data")))
    return replace(whole, train=whole.train[::3])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder_files(write_encoder(tmp_path_factory.mktemp("encoders") / "tiny"))


@pytest.fixture(scope="module")
def runs(data: TextData, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was killed between two checkpoints and resumed, and one that was not."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs")
    Trainer(data, RECIPE, folder / "straight", base=base).run(lambda *step: None)

    def kill(_phase: str, step: int, _total: int, _loss: float) -> None:
        if step == 5:
            raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_text, "CHECKPOINT_SECONDS", 0.0)
        with pytest.raises(KilledError):
            Trainer(data, RECIPE, folder / "killed", base=base).run(kill)
        second = Trainer(data, RECIPE, folder / "killed", base=base)
        second.resume()
        assert second.progress.step == 4
        second.run(lambda *step: None)
    assert second.finished
    return folder


@pytest.fixture(scope="module")
def made(runs: Path, data: TextData, base: Path) -> Artifact:
    return export_artifact(runs / "killed" / "best.safetensors", data, runs / "artifact", 1, base)


def settings(home: Path, folder: Path, base: Path | None) -> Settings:
    return Settings(home=home, model=ModelSettings(dir=folder, base=base, device="cpu", threads=1))


def test_a_killed_run_goes_on_to_the_same_weights(runs: Path) -> None:
    one, other = (load_file(runs / name / "checkpoint.safetensors") for name in ("straight", "killed"))
    assert "mark" in one
    assert one.keys() == other.keys()
    assert all((one[name] == other[name]).all() for name in one)


def test_a_run_that_stops_before_its_judgement_is_judged_when_it_goes_on(data: TextData, base: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1)
    first = Trainer(data, recipe, tmp_path, base=base)

    def stop(_phase: str, step: int, total: int, _loss: float) -> None:
        if step == total:
            first.stop.set()

    first.run(stop)
    assert first.progress.step == first.total_steps
    assert not first.finished
    second = Trainer(data, recipe, tmp_path, base=base)
    second.resume()
    assert [figures["epoch"] for figures in second.run(lambda *step: pytest.fail("no step is left")).history] == [1]
    assert (tmp_path / "best.safetensors").is_file()


def test_what_serves_says_what_was_trained(runs: Path, made: Artifact, base: Path, data: TextData, tmp_path: Path) -> None:
    trainer = Trainer(data, RECIPE, tmp_path, base=base)
    for name, value in load_file(runs / "killed" / "best.safetensors").items():
        trainer.trainable[name].data.copy_(torch.from_numpy(value))
    serves = load_engine(settings(tmp_path, made.folder, base))
    passages = [marked_passage(row) for row in data.held_out]
    tokens = serves.encode(passages)
    with torch.inference_mode():
        logits = trainer.network.eval()(**collate(tokens))
    inputs = head_inputs(serves.features(passages))
    for name, expected in zip(("sentiment", "topic"), logits, strict=True):
        assert np.allclose(serves.heads[name].logits(inputs[name]), expected.numpy(), atol=2e-3)


def test_a_run_of_another_encoder_is_not_resumed(runs: Path, data: TextData, base: Path) -> None:
    with pytest.raises(TrainingError, match="give the same options"):
        Trainer(data, replace(RECIPE, base="other"), runs / "straight", base=base).resume()


def test_what_is_no_encoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="--base or SQUALL_MODEL__BASE names the folder"):
        encoder_files(None)
    with pytest.raises(TrainingError, match=r"it lacks config\.json, model\.safetensors, tokenizer\.json"):
        encoder_files(tmp_path)


def test_it_serves_on_torch_and_the_mark_decides(made: Artifact, base: Path, tmp_path: Path) -> None:
    serving = settings(tmp_path, made.folder, base)
    serves = load_engine(serving)
    assert serves.version == made.version
    assert serves.runtime.name == "torch float32 on cpu"
    text = "Corvo tea arm shrinks, Halden tea arm grows"
    scores = serves.score([Passage(text), Passage(text, (0, 5)), Passage(text, (23, 29))])
    assert len({score.sentiment for score in scores}) == 3
    assert serves.score([Passage(text, (23, 29))])[0] == scores[2]
    assert open_version(serving, made.version, str(made.folder), described(made)[1]).version == made.version


def test_a_setting_lets_it_serve_pinned(made: Artifact, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = Settings(home=tmp_path, model=ModelSettings(text="base", base=base, device="cpu", threads=1))
    assert chosen.model.pinned
    assert not Settings(home=tmp_path).model.pinned
    for module in (artifact, engine):
        monkeypatch.setattr(module, "SHIPPED_BASE", tmp_path / "none")
    with pytest.raises(ArtifactError, match=r"no model in .*none: train one with `squall train teacher`"):
        load_engine(chosen)
    monkeypatch.setattr(engine, "SHIPPED_BASE", made.folder)
    assert load_engine(chosen).version == made.version


def test_it_is_refused_without_its_encoder_or_with_another(made: Artifact, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="needs the base encoder tiny: SQUALL_MODEL__BASE is not set"):
        load_engine(settings(tmp_path, made.folder, None))
    with pytest.raises(ArtifactError, match="is no folder"):
        load_engine(settings(tmp_path, made.folder, tmp_path / "none"))
    other = write_encoder(tmp_path / "other")
    (other / "config.json").write_text("{}")
    with pytest.raises(ArtifactError, match="is not the one this model was trained on: let SQUALL_MODEL__BASE name"):
        load_engine(settings(tmp_path, made.folder, other))
    with pytest.raises(UsageError, match="runs on torch only: its encoder is tiny"):
        load_engine(settings(tmp_path, made.folder, None), "onnx")
    assert not load_artifact(made.folder).packaged


def test_a_student_learns_the_answers_on_texts_without_a_label(
    made: Artifact, base: Path, data: TextData, tmp_path: Path
) -> None:
    teacher = load_engine(settings(tmp_path, made.folder, base))
    texts = [Row("stocknet", str(i), f"Kestrel $KST ships {i} kettles", None, -1) for i in range(8)]
    learnt = with_rows(replace(data, train=[]), texts)
    answers = ask_once(teacher, texts, tmp_path / "kept")
    asked = teacher.score([marked_passage(row) for row in texts])
    assert all(answers[row]["sentiment"] == pytest.approx(said.sentiment) for row, said in zip(texts, asked, strict=True))
    (tmp_path / "kept").chmod(0o500)
    again = ask_once(teacher, texts, tmp_path / "kept")
    assert again.keys() == answers.keys()

    def last_losses(told: Answers) -> list[float]:
        recipe = Recipe(epochs=15, batch_size=8, base="tiny", teacher=made.version, rank=4, label_smoothing=0.0)
        losses: list[float] = []
        Trainer(learnt, recipe, tmp_path / "student", answers=told, base=base).run(lambda *step: losses.append(step[3]))
        return losses

    sharp = {row: {head: np.eye(len(value), dtype=np.float32)[1] for head, value in one.items()} for row, one in answers.items()}
    losses = last_losses(sharp)
    assert losses[-1] < losses[0]
    assert set(last_losses({})) == {0.0}


def test_the_average_of_the_weights_is_judged_and_survives_a_stop(data: TextData, base: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, average=0.8, epochs=1, vary=0.5)
    straight = Trainer(data, recipe, tmp_path / "straight", base=base)
    first = straight.trainable["sentiment.weight"].detach().clone()
    steps: list[Any] = []
    straight.run(lambda *step: steps.append(straight.trainable["sentiment.weight"].detach().clone()))
    expected = first
    for weight in steps:
        expected = torch.lerp(expected, weight, 0.2)
    best = load_file(tmp_path / "straight" / "best.safetensors")
    assert np.allclose(best["sentiment.weight"], expected.numpy(), atol=1e-6)
    assert not np.allclose(best["sentiment.weight"], steps[-1].numpy(), atol=1e-6)

    halted = Trainer(data, recipe, tmp_path / "halted", base=base)
    halted.run(lambda *step: halted.stop.set())
    resumed = Trainer(data, recipe, tmp_path / "halted", base=base)
    resumed.resume()
    resumed.run(lambda *step: None)
    other = load_file(tmp_path / "halted" / "best.safetensors")
    assert all((best[name] == other[name]).all() for name in best)


def test_a_lesson_has_rows_of_every_kind_and_the_teachers_answers(made: Artifact, base: Path, tmp_path: Path) -> None:
    folder = write_stocknet(write_data(tmp_path / "data"))
    whole = load_text_data(folder)
    serving = settings(tmp_path, made.folder, base).model_copy(update={"data_dir": folder})
    told: list[tuple[str, int, int]] = []
    found = lesson(
        whole, Recipe(unlabelled=5, swap=True), serving, teachers=[made.folder], report=lambda *said: told.append(said)
    )
    added = found.data.train[len(whole.train) :]
    assert [row.source for row in added[:6]] == ["stocknet"] * 5 + ["sentfin"]
    assert sum("swapped" in row.key for row in added) == sum(row.disagreeing for row in whole.train)
    assert found.data.digest != whole.digest
    assert found.answers is not None
    assert found.answers.keys() == set(found.data.train)
    assert (found.recipe.teacher, found.recipe.start, found.begin) == (made.version, "", None)
    assert told[-1][1] == told[-1][2] == len(found.data.train)
    assert lesson(whole, Recipe(), serving) == (whole, Recipe(), None, None)
    with pytest.raises(TrainingError, match="name one"):
        lesson(whole, Recipe(unlabelled=5), serving)
    with pytest.raises(TrainingError, match="has another encoder than the run"):
        lesson(whole, Recipe(), serving, start=made.folder)
    with pytest.raises(TrainingError, match="knows other topics than the data"):
        lesson(replace(whole, topics=("Weather",)), Recipe(), serving, teachers=[made.folder])


def test_the_command_trains_exports_and_says_what_comes_next(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQUALL_DATA_DIR", str(write_stocknet(write_data(tmp_path / "data"))))
    monkeypatch.setenv("SQUALL_HOME", str(tmp_path))
    monkeypatch.setenv("SQUALL_MODEL__THREADS", "1")
    monkeypatch.setenv("SQUALL_MODEL__BASE", str(base))
    get_settings.cache_clear()
    first, second = tmp_path / "train" / "teacher" / "artifact", tmp_path / "second"
    results = [
        CliRunner().invoke(app, ["train", "teacher", "--epochs", "1", *more])
        for more in ([], ["--teacher", str(first), "--out", str(second)])
    ]
    get_settings.cache_clear()
    assert [result.exit_code for result in results] == [0, 0], results[-1].output
    assert load_artifact(first).manifest["base"]["name"] == "tiny"
    assert f"squall train text --teacher {first}" in results[0].output.replace("\n", " ")
    taught = load_artifact(second / "artifact").manifest["recipe"]
    assert (taught["teacher"], taught["kept"], taught["base"]) == (load_artifact(first).version, 0.6, "tiny")
