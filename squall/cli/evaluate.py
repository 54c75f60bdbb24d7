"""`squall evaluate`: judge a model on rows that it never saw."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from squall.settings import get_settings

app = typer.Typer(help="Judge a model on rows that it never saw.", no_args_is_help=True)


@app.callback()
def evaluate() -> None:
    """Judge a model on rows that it never saw."""


@app.command()
def text(
    json_output: Annotated[bool, typer.Option("--json", help="print the figures as one JSON object")] = False,
    out: Annotated[Path | None, typer.Option(help="folder for the predictions; default: SQUALL_HOME/evaluation/<model>")] = None,
    runtime: Annotated[Literal["onnx", "torch"] | None, typer.Option(help="default: the one that serves here")] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="folder of a frozen data set (`squall dataset build`); default: SQUALL_DATA_DIR")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="folder of the model's artifact; default: the one that serves here")] = None,
    champion: Annotated[bool, typer.Option("--champion", help="judge the champion, see `squall models`")] = False,
    page: Annotated[Path | None, typer.Option(help="also write tables into this Markdown page, e.g. docs/results.md")] = None,
    beside: Annotated[
        list[Path] | None, typer.Option(help="with --page: folder of another model's predictions, to set beside this one's")
    ] = None,
) -> None:
    """Predict all evaluation rows of SQUALL_DATA_DIR or of a frozen data set, and compute all figures from these files."""
    import json

    from models.engine import load_engine
    from pipelines.learning.champion import champion_folder
    from pipelines.learning.dataset import load_frozen
    from pipelines.training.datasets import load_text_data
    from pipelines.training.evaluate_text import read_folders, read_predictions, report_text, summarise, write_predictions
    from pipelines.training.results_page import write_part
    from pipelines.training.text_report import text_tables
    from squall.cli.reading import reading

    settings = get_settings()
    others = read_folders(beside or ())
    if champion:
        with reading(settings) as connection:
            model = champion_folder(connection, settings)
    judged = settings.model.model_copy(update={"dir": model or settings.model.dir})
    engine = load_engine(settings.model_copy(update={"model": judged}), runtime)
    data = load_frozen(dataset) if dataset else load_text_data(settings.data_dir)
    folder = out or settings.home / "evaluation" / engine.version
    write_predictions(engine, data, folder)
    predictions = read_predictions(folder)
    summary = summarise(predictions, data, engine.runtime.name)
    print(json.dumps(summary) if json_output else f"{report_text(predictions, summary)}\nPredictions are in {folder}.")
    if page:
        write_part(page, "text", "The text model", text_tables([predictions, *others]))


@app.command()
def fused(
    runs: Annotated[Path | None, typer.Option(help="folder of the runs; default: SQUALL_HOME/train/fused")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="print the figures as one JSON object")] = False,
    page: Annotated[Path | None, typer.Option(help="also write the tables into this Markdown page, e.g. docs/results.md")] = None,
    masked: Annotated[Path | None, typer.Option(help="folder of runs with company names masked, to set beside these")] = None,
) -> None:
    """Compute all figures of the fused model from the predictions that `squall train fused` wrote of dev and test items."""
    import json

    from pipelines.training.evaluate_fused import figures, read_predictions
    from pipelines.training.fused_report import report_text
    from pipelines.training.results_page import write_part

    beside = read_predictions(masked) if masked else None
    told = figures(read_predictions(runs or get_settings().home / "train" / "fused"), beside)
    report = report_text(told)
    print(json.dumps(told) if json_output else report)
    if page:
        write_part(page, "fused", "The fused model", report)
