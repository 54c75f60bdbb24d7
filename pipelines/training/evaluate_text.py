"""Judge the text model as it serves: predictions of every evaluation row to files, and all figures from these files."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.engine import TextEngine
from models.passages import Passage
from pipelines.training.baseline import baseline_guesses
from pipelines.training.datasets import PEOPLE, DataError, TextData
from pipelines.training.marking import marked_passage
from squall.errors import UsageError

CALIBRATION_BINS = 15

Array = np.ndarray[Any, Any]
Prediction = dict[str, Any]


def write_predictions(engine: TextEngine, data: TextData, out: Path) -> None:
    """Write one JSON Lines file for each evaluation set: truth, probabilities, and other guesses of each row.

    The other guesses are the baseline's, and the model's own where no company is marked.

    Raises:
        DataError: the model knows other topics than the data.
    """
    if engine.topic_labels != data.topics:
        raise DataError(
            f"{engine.version} knows other topics than the data: {', '.join({*engine.topic_labels} ^ {*data.topics})}"
        )
    out.mkdir(parents=True, exist_ok=True)
    for path in out.glob("*.jsonl"):
        path.unlink()
    for name, rows in data.evaluation.items():
        labels = engine.topic_labels if rows[0].task == "topic" else engine.sentiment_labels
        passages = [marked_passage(row) for row in rows]
        scores = engine.score(passages)
        unmarked = engine.score([Passage(passage.text) for passage in passages]) if _marked(passages) else scores
        guesses = baseline_guesses(data.train, rows)
        with (out / f"{name}.jsonl").open("w") as file:
            for row, score, without, guess in zip(rows, scores, unmarked, guesses, strict=True):
                probabilities, other = (one.topic if row.task == "topic" else one.sentiment for one in (score, without))
                record: Prediction = {
                    "key": row.key,
                    "truth": labels[row.label],
                    "guess": labels[int(np.argmax(probabilities))],
                    "probabilities": dict(zip(labels, probabilities, strict=True)),
                    "baseline": labels[guess],
                    "unmarked": labels[int(np.argmax(other))],
                    "near_copy": row.text in data.copied[name],
                    "disagreeing": row.disagreeing,
                    "task": row.task,
                    "topic": engine.topic_labels[int(np.argmax(score.topic))],
                    "words": len(row.text.split()),
                    "story": row.facts.story if row.facts else "",
                    "sector": row.facts.sector if row.facts else "",
                    "sampled": row.facts.sampled if row.facts else True,
                    "data": data.version,
                    "model": engine.version,
                }
                file.write(json.dumps(record) + "\n")


def _marked(passages: Sequence[Passage]) -> bool:
    return any(passage.span for passage in passages)


def read_predictions(out: Path) -> dict[str, list[Prediction]]:
    """The prediction files of a folder, by evaluation set."""
    return {path.stem: [json.loads(line) for line in path.open()] for path in sorted(out.glob("*.jsonl"))}


def read_folders(folders: Sequence[Path]) -> list[dict[str, list[Prediction]]]:
    """The predictions of each of the folders that a user named.

    Raises:
        UsageError: some hold none.
    """
    read = {folder: read_predictions(folder) for folder in folders}
    if missing := [str(folder) for folder, found in read.items() if not found]:
        raise UsageError(f"nothing to read in {' and '.join(missing)}: `squall evaluate text --out` writes predictions")
    return [read[folder] for folder in folders]


def figures(predictions: dict[str, list[Prediction]], column: str = "guess") -> dict[str, float]:
    """The figures by which the model is judged, from its guesses or from the baseline's."""
    result: dict[str, float] = {}
    for name in ("tfns_sentiment", "tfns_topic"):
        rows = predictions[name]
        result[f"{name}_accuracy"] = accuracy(rows, column)
        result[f"{name}_accuracy_near_dup_free"] = accuracy([row for row in rows if not row["near_copy"]], column)
    entities = predictions["sentfin"]
    result["tfns_sentiment_macro_f1"] = macro_f1(predictions["tfns_sentiment"], column)
    result["sentfin_macro_f1"] = macro_f1(entities, column)
    result["sentfin_disagreeing_macro_f1"] = macro_f1([row for row in entities if row["disagreeing"]], column)
    for name in PEOPLE:
        if sampled := [row for row in predictions.get(name, ()) if row["sampled"]]:
            result[f"{name}_accuracy"] = accuracy(sampled, column)
    return {key: round(value, 4) for key, value in result.items()}


def accuracy(rows: Sequence[Prediction], column: str) -> float:
    """Share of the rows whose guess is the truth."""
    return float(np.mean([row[column] == row["truth"] for row in rows]))


def macro_f1(rows: Sequence[Prediction], column: str) -> float:
    """Unweighted mean of the F1 of the classes that occur."""
    from sklearn.metrics import f1_score

    return float(f1_score([row["truth"] for row in rows], [row[column] for row in rows], average="macro"))


def calibration_error(rows: Sequence[Prediction]) -> float:
    """Expected calibration error of the top class: mean gap between confidence and accuracy over equal-width bins."""
    return confidence_gap(
        np.array([max(row["probabilities"].values()) for row in rows]), np.array([row["guess"] == row["truth"] for row in rows])
    )


def confidence_gap(confidence: Array, right: Array) -> float:
    """Mean gap (rows) between confidence and the share that is right, over equal-width bins."""
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [(bins == b).sum() * abs(right[bins == b].mean() - confidence[bins == b].mean()) for b in np.unique(bins)]
    return float(sum(gaps) / len(right))


def summarise(predictions: dict[str, list[Prediction]], data: TextData, runtime: str) -> dict[str, Any]:
    """All figures with what is needed to read them."""
    return {
        **figures(predictions),
        "calibration_error": {name: round(calibration_error(rows), 4) for name, rows in predictions.items()},
        "baseline": figures(predictions, "baseline"),
        "rows": {name: len(rows) for name, rows in predictions.items()},
        "near_dup_free_rows": {name: sum(not row["near_copy"] for row in rows) for name, rows in predictions.items()},
        "disagreeing_rows": sum(row["disagreeing"] for row in predictions["sentfin"]),
        "training_rows": len(data.train),
        "dropped_training_rows": data.dropped,
        "model": predictions["sentfin"][0]["model"],
        "runtime": runtime,
        "hardware": hardware(),
    }


def report_text(predictions: dict[str, list[Prediction]], summary: dict[str, Any]) -> str:
    """The classification report of each set, and a table of the figures beside the baseline's."""
    from sklearn.metrics import classification_report

    parts = []
    for name, rows in predictions.items():
        truth, guess = [row["truth"] for row in rows], [row["guess"] for row in rows]
        parts.append(f"{name}\n{classification_report(truth, guess, digits=3, zero_division=0)}")
    lines = [f"{'':40}{summary['model']:>16}{'TF-IDF':>10}"]
    lines += [f"{key:40}{summary[key]:16.4f}{value:10.4f}" for key, value in summary["baseline"].items()]
    dropped = ", ".join(f"{count} of {name}" for name, count in summary["dropped_training_rows"].items())
    lines.append(f"Training rows dropped because they (nearly) equal an evaluation row: {dropped}.")
    lines.append(f"{summary['runtime']} on {summary['hardware']}.")
    return "\n".join([*parts, *lines])


def hardware() -> str:
    """The processor and how many of its cores are here."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        models = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    return f"{name}, {os.cpu_count()} cores"
