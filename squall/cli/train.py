"""`squall train`: train a model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from squall.settings import get_settings

if TYPE_CHECKING:
    from models.artifact import Artifact
    from pipelines.training.datasets import TextData
    from pipelines.training.train_text import Trainer

app = typer.Typer(help="Train a model.", no_args_is_help=True)

INTERRUPTED = 130
# Defaults as they are shown: without and with a model to begin with.
EPOCHS, RATE, ROWS, KEPT = (
    "4; 1 with --start; 25 with --teacher",
    "6e-4; 3e-4 with --start; 1e-3 with --teacher",
    "all; 12000 with --start",
    "1 with --start; 0.8 with --teacher",
)
REPEATED, THINNED, OTHERS = "1; 8 with --start", "0; 0.6 with --start", "0; 0.5 with --start"
UNLABELLED, AVERAGE, SWAP, VARY = (
    "0; 40000 with --teacher",
    "0; 0.999 with --teacher",
    "no; yes with --teacher",
    "0; 0.2 with --teacher",
)

RUNNING_AVERAGE = "share of the weights' running average that a step keeps; 0: off"
SWAPPED = "also learn headlines whose companies disagree with these in each other's place"
VARIED = "probability that a row is read with other tickers and amounts"


@app.callback()
def train() -> None:
    """Train a model."""


@app.command()
def text(
    epochs: Annotated[int | None, typer.Option(min=1, help="passes over the training rows", show_default=EPOCHS)] = None,
    seed: Annotated[int, typer.Option(help="of the order, the marks, the fresh weights and the dropout")] = 1,
    out: Annotated[Path | None, typer.Option(help="folder of the run; default: SQUALL_HOME/train/text")] = None,
    resume: Annotated[bool, typer.Option(help="go on from the run's last checkpoint")] = False,
    learning_rate: Annotated[float | None, typer.Option(min=1e-6, max=0.1, help="at its peak", show_default=RATE)] = None,
    start: Annotated[
        Path | None, typer.Option(help="artifact to begin with, whose answers also teach each head the rows without a label")
    ] = None,
    from_champion: Annotated[
        bool, typer.Option("--from-champion", help="as --start with the champion, see `squall models`")
    ] = False,
    dataset: Annotated[
        Path | None, typer.Option(help="folder of a frozen data set (`squall dataset build`); default: SQUALL_DATA_DIR")
    ] = None,
    base_rows: Annotated[
        int | None,
        typer.Option(min=0, help="rows to learn from at most besides those that people labelled; 0: all", show_default=ROWS),
    ] = None,
    repeated: Annotated[
        int | None, typer.Option(min=1, help="how often an epoch has a row that people labelled", show_default=REPEATED)
    ] = None,
    thinned: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="share of its words that such a row is read without, at most", show_default=THINNED),
    ] = None,
    thinned_others: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="with --start: probability that another row is read so, too", show_default=OTHERS),
    ] = None,
    kept: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="share of --start's or --teacher's answers in what rows with a label teach", show_default=KEPT
        ),
    ] = None,
    blend: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="with --start: how far the weights go from its to what is learnt", show_default="1"),
    ] = None,
    begun: Annotated[bool, typer.Option("--begun", help="as --resume where there is a checkpoint, else from the start")] = False,
    teacher: Annotated[
        list[Path] | None,
        typer.Option(
            help="artifact whose answers on all rows are learnt beside the labels, see `squall train teacher`; "
            "of several, given one after another, the mean is"
        ),
    ] = None,
    unlabelled: Annotated[
        int | None,
        typer.Option(
            min=0, help="with --teacher: also on so many of StockNet's tweets before 2015, at most", show_default=UNLABELLED
        ),
    ] = None,
    average: Annotated[float | None, typer.Option(min=0, max=0.99999, help=RUNNING_AVERAGE, show_default=AVERAGE)] = None,
    swap: Annotated[bool | None, typer.Option("--swap/--no-swap", help=SWAPPED, show_default=SWAP)] = None,
    vary: Annotated[float | None, typer.Option(min=0, max=1, help=VARIED, show_default=VARY)] = None,
) -> None:
    """Train the text model on SQUALL_DATA_DIR, write its artifact to <out>/artifact. Ctrl-C leaves a checkpoint to resume."""
    import os

    import torch

    from models.engine import choose_device
    from pipelines.learning.champion import champion_folder
    from pipelines.learning.dataset import load_frozen
    from pipelines.training.datasets import load_text_data
    from pipelines.training.progress import progress_report
    from pipelines.training.recipe import CONTINUED, DISTILLED, Recipe
    from pipelines.training.teaching import lesson
    from pipelines.training.train_text import CHECKPOINT, Trainer
    from squall.cli.reading import reading

    settings = get_settings()
    folder = out or settings.home / "train" / "text"
    threads = settings.model.threads or os.cpu_count() or 1
    torch.set_num_threads(threads)
    data = load_frozen(dataset) if dataset else load_text_data(settings.data_dir)
    if from_champion:
        with reading(settings) as connection:
            start = champion_folder(connection, settings)
    _tell(data)
    usual = DISTILLED if teacher else CONTINUED if start else {}
    given = {
        "epochs": epochs,
        "learning_rate": learning_rate,
        "base_rows": base_rows,
        "repeated": repeated,
        "thinned": thinned,
        "thinned_others": thinned_others,
        "kept": kept,
        "blend": blend,
        "unlabelled": unlabelled,
        "average": average,
        "swap": swap,
        "vary": vary,
    }
    recipe = Recipe(seed=seed, **usual | {name: value for name, value in given.items() if value is not None})
    with progress_report() as told:
        learnt, recipe, begin, answers = lesson(data, recipe, settings, start, teacher or (), told)
    trainer = Trainer(learnt, recipe, folder, choose_device(settings.model.device), begin, answers)
    if resume or (begun and (folder / CHECKPOINT).is_file()):
        trainer.resume()
    made = _train(trainer, data, threads, f"squall train text --resume --out {folder}")
    print(f"serve it with SQUALL_MODEL__DIR={made.folder}")


@app.command()
def teacher(
    base: Annotated[
        Path | None,
        typer.Option(help="folder of the encoder (config.json, model.safetensors, tokenizer.json); default: SQUALL_MODEL__BASE"),
    ] = None,
    teacher: Annotated[
        list[Path] | None,
        typer.Option(
            help="artifact of an earlier such run, whose answers are learnt beside the labels; of several the mean: one model "
            "that is better than each"
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="passes over the training rows", show_default="4; 10 with --teacher")
    ] = None,
    seed: Annotated[int, typer.Option(help="of the order, the marks, the fresh weights and the dropout")] = 1,
    out: Annotated[Path | None, typer.Option(help="folder of the run; default: SQUALL_HOME/train/teacher")] = None,
    resume: Annotated[bool, typer.Option(help="go on from the run's last checkpoint")] = False,
    learning_rate: Annotated[
        float | None, typer.Option(min=1e-6, max=0.1, help="at its peak", show_default="4e-4; 5e-4 with --teacher")
    ] = None,
) -> None:
    """Train a base-sized text model, such as all-mpnet-base-v2: what a GPU serves, and what the small one learns from.

    It learns from the rows that `squall train text` learns from. That needs 4 hours on 2 CPU cores with bfloat16, minutes on a
    GPU. Ctrl-C, or a kill, leaves a checkpoint to resume.
    """
    import os

    import torch

    from models.engine import choose_device
    from pipelines.training.datasets import load_text_data
    from pipelines.training.progress import progress_report
    from pipelines.training.recipe import TAUGHT_TEACHER, TEACHER, Recipe
    from pipelines.training.teaching import lesson
    from pipelines.training.train_text import Trainer, encoder_files

    settings = get_settings()
    folder = out or settings.home / "train" / "teacher"
    encoder = encoder_files(base or settings.model.base)
    threads = settings.model.threads or os.cpu_count() or 1
    torch.set_num_threads(threads)
    data = load_text_data(settings.data_dir)
    _tell(data)
    given = {"epochs": epochs, "learning_rate": learning_rate}
    usual = (TAUGHT_TEACHER if teacher else TEACHER) | {name: value for name, value in given.items() if value is not None}
    with progress_report() as told:
        learnt, recipe, _, answers = lesson(
            data, Recipe(**usual, seed=seed, base=encoder.name), settings, teachers=teacher or (), report=told
        )
    trainer = Trainer(learnt, recipe, folder, choose_device(settings.model.device), answers=answers, base=encoder)
    if resume:
        trainer.resume()
    made = _train(trainer, data, threads, f"squall train teacher --base {encoder} --resume --out {folder}")
    print(f"serve it with SQUALL_MODEL__DIR={made.folder} SQUALL_MODEL__BASE={encoder}")
    print(f"let the small model learn from it with: squall train text --teacher {made.folder}")


def _tell(data: "TextData") -> None:
    dropped = ", ".join(f"{count} of {name}" for name, count in data.dropped.items())
    print(f"{len(data.train)} training rows, {len(data.held_out)} held out; dropped as near copies of evaluation rows: {dropped}")


def _train(trainer: "Trainer", data: "TextData", threads: int, again: str) -> "Artifact":
    """Run to the end and export the best epoch; where the run is stopped, say how it goes `again`, and leave."""
    from pipelines.training.export_text import export_artifact
    from pipelines.training.progress import progress_report, stop_on_signal
    from pipelines.training.train_text import BEST

    stop_on_signal(trainer.stop)
    with progress_report() as report:
        progress = trainer.run(report)
    for figures in progress.history:
        print("held out:", ", ".join(f"{name} {value:g}" for name, value in figures.items()))
    if not trainer.finished:
        print(f"stopped at step {progress.step} of {trainer.total_steps}; go on with: {again}")
        raise typer.Exit(INTERRUPTED)
    made = export_artifact(trainer.out / BEST, data, trainer.out / "artifact", threads, trainer.base)
    print(f"{made.version} of epoch {progress.best_epoch}")
    return made


@app.command()
def chart(
    config: Annotated[
        Path | None, typer.Option(help="YAML file, of which `pretrain` and `charts` are read; default: the one that ships")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="folder of the artifact; default: SQUALL_HOME/train/chart")] = None,
) -> None:
    """Train what describes charts (`squall describe-chart`) on bars of StockNet, judge it, and write its artifact.

    The encoder is the one that `squall train fused` uses; it is made once and kept in SQUALL_HOME/cache/fused.
    """
    import os

    import torch

    from pipelines.training.evaluate_charts import write_chart_predictions
    from pipelines.training.export_chart import export_chart
    from pipelines.training.fused_config import DEFAULT, read_config
    from pipelines.training.pretrain import pretrained
    from pipelines.training.progress import progress_report
    from pipelines.training.stocknet import load_stocknet

    settings = get_settings()
    chosen = read_config(config or DEFAULT)
    folder = out or settings.home / "train" / "chart"
    torch.set_num_threads(settings.model.threads or os.cpu_count() or 1)
    data, recipe = load_stocknet(settings.data_dir), chosen.recipe()
    with progress_report() as report:
        encoders, _ = pretrained(data, recipe, settings.home / "cache" / "fused", report)
    write_chart_predictions(encoders.chart, data, recipe.before, chosen.charts, folder)
    reader = export_chart(encoders.chart, data, recipe, folder, folder)
    for style, own in reader.manifest["figures"].items():
        print(f"{style}: " + ", ".join(f"{name} {part['accuracy']:.3f} ({part['majority']:.3f})" for name, part in own.items()))
    print(f"{reader.version} is in {folder}; use it with: squall describe-chart IMAGE --model {folder}")


@app.command()
def fused(
    config: Annotated[
        Path | None, typer.Option(help="YAML file; default: the one that ships, pipelines/training/configs/fused.yaml")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="folder of the runs; default: SQUALL_HOME/train/fused")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="only the first so many of the file's seeds; default: all")] = None,
    resume: Annotated[bool, typer.Option(help="leave finished runs, go on with begun ones")] = False,
) -> None:
    """Train the fused model (text, price, chart) and what it is compared with on StockNet, each over several seeds.

    Text vectors and encoders are made once and kept in SQUALL_HOME/cache/fused. Ctrl-C stops after the epoch; --resume goes on.
    """
    import os
    import threading

    import torch

    from models.engine import choose_device, load_engine
    from pipelines.training.evaluate_charts import CHARTS, write_chart_predictions
    from pipelines.training.evaluate_fused import figures, read_predictions
    from pipelines.training.export_fused import export_fused
    from pipelines.training.fused_config import DEFAULT, read_config
    from pipelines.training.fused_runs import prepare, train_all
    from pipelines.training.progress import progress_report, stop_on_signal

    settings = get_settings()
    chosen = read_config(config or DEFAULT)
    if seeds is not None:
        chosen = chosen.first_seeds(seeds)
    folder = out or settings.home / "train" / "fused"
    torch.set_num_threads(settings.model.threads or os.cpu_count() or 1)
    device = choose_device(settings.model.device)
    engine = load_engine(settings)
    stop = threading.Event()
    stop_on_signal(stop)
    with progress_report() as report:
        material = prepare(settings.data_dir, engine, chosen, settings.home / "cache" / "fused", report)
        if not (folder / CHARTS).is_file():
            write_chart_predictions(material.encoders.chart, material.data, chosen.recipe().before, chosen.charts, folder)
        left = train_all(material, chosen, folder, settings.home, device, resume, stop, report)
    if left:
        print(f"stopped with {len(left)} runs to go; go on with: squall train fused --resume --out {folder}")
        raise typer.Exit(INTERRUPTED)
    print(f"all runs are done; see them with: squall evaluate fused --runs {folder}")
    if "adjusted" in chosen.tasks and "fused" in chosen.models:
        export_fused(material, chosen, folder, figures(read_predictions(folder)), engine.version, folder / "artifact")
        print(f"the model is in {folder / 'artifact'}")
