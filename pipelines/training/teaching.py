"""What a run of the text model learns from besides its labelled rows: texts without a label, and what other models say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from models.artifact import Artifact, load_artifact
from models.engine import engine_of
from pipelines.training.answers import Answers, ask_once, mean_of
from pipelines.training.augment import swapped
from pipelines.training.datasets import TextData, with_base_rows, with_repeated, with_rows
from pipelines.training.export_text import half_engine
from pipelines.training.recipe import Recipe
from pipelines.training.stocknet import load_stocknet
from pipelines.training.train_text import TrainingError
from pipelines.training.unlabelled import unlabelled
from squall.settings import Settings


class Lesson(NamedTuple):
    """The arguments of a run: the recipe names the models. The answers are the teachers', on the rows of `data`."""

    data: TextData
    recipe: Recipe
    begin: Artifact | None
    answers: Answers | None


def lesson(
    data: TextData,
    recipe: Recipe,
    settings: Settings,
    start: Path | None = None,
    teachers: Sequence[Path] = (),
    report: Callable[[str, int, int], None] = lambda *_: None,
) -> Lesson:
    """Gather the rows that the recipe asks for, and let the teachers say what they mean.

    Args:
        start: folder of the model to begin with.
        teachers: folders of the models to learn the mean of; their answers are kept in SQUALL_HOME/cache/text.
        report: called with (phase, done, all) while a model is asked.

    Raises:
        TrainingError: a model knows other topics or has another encoder, or a teacher is missing.
        ArtifactError: a model is missing or damaged.
    """
    if recipe.unlabelled and not teachers:
        raise TrainingError("texts without a label teach what a --teacher says of them: name one")
    models = {folder: load_artifact(folder, settings.model.base) for folder in (start, *teachers) if folder}
    for model in models.values():
        if model.labels("topic") != data.topics:
            raise TrainingError(f"{model.version} knows other topics than the data: begin without it")
    begin, answers = None, None
    learnt = with_base_rows(data, recipe.base_rows) if recipe.base_rows else data
    learnt = with_repeated(learnt, recipe.repeated)
    if recipe.unlabelled:
        learnt = with_rows(learnt, unlabelled(data, load_stocknet(settings.data_dir), recipe.unlabelled))
    if recipe.swap:
        learnt = with_rows(learnt, swapped(learnt.train))
    if start:
        begin = models[start]
        if not begin.packaged:
            raise TrainingError(f"{begin.version} has another encoder than the run: it can be its --teacher, not its --start")
        recipe = replace(recipe, start=begin.version)
    if teachers:
        asked = [models[folder] for folder in teachers]
        said = [_answers(model, learnt, settings, report) for model in asked]
        answers = mean_of(said)
        recipe = replace(recipe, teacher="+".join(model.version for model in asked))
    return Lesson(learnt, recipe, begin, answers)


def _answers(model: Artifact, data: TextData, settings: Settings, report: Callable[[str, int, int], None]) -> Answers:
    engine = engine_of(model, settings) if model.packaged else half_engine(model, settings.model.device)
    name = f"answers of {model.version}"
    return ask_once(engine, data.train, settings.home / "cache" / "text", lambda *done: report(name, *done))
