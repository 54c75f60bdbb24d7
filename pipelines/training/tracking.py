"""Where a run's curves and report go: to MLflow where it is installed, else to files beside the run."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

EXPERIMENT = "squall-fused"
CURVES = "curves.jsonl"
RUN_ID = "mlflow-run"
"""File that holds MLflow's id of the folder's run."""


class Tracker(Protocol):
    """Takes what a run says of itself."""

    def epoch(self, number: int, figures: Mapping[str, float]) -> None:
        """Log the figures of an epoch."""
        ...

    def report(self, path: Path) -> None:
        """Log a file of the run's folder, written at its end."""
        ...


@contextmanager
def tracked(folder: Path, home: Path, name: str, parameters: Mapping[str, Any], begun: bool) -> Iterator[Tracker]:
    """A tracker for one run; `begun` says that it goes on from an earlier epoch.

    MLflow's store is `<home>/mlflow.db`, with reports in `<home>/mlflow`, or what MLFLOW_TRACKING_URI names.
    """
    if importlib.util.find_spec("mlflow") is None:
        with (folder / CURVES).open("a" if begun else "w") as file:
            yield _Files(file)
        return
    import mlflow

    if "MLFLOW_TRACKING_URI" not in os.environ:
        mlflow.set_tracking_uri(f"sqlite:///{home.resolve() / 'mlflow.db'}")
        if mlflow.get_experiment_by_name(EXPERIMENT) is None:
            mlflow.create_experiment(EXPERIMENT, artifact_location=(home.resolve() / "mlflow").as_uri())
    mlflow.set_experiment(EXPERIMENT)
    known = folder / RUN_ID
    earlier = known.read_text() if begun and known.is_file() else None
    with mlflow.start_run(run_id=earlier, run_name=None if earlier else name) as run:
        known.write_text(run.info.run_id)
        mlflow.log_params(dict(parameters))
        yield _Mlflow()


class _Files:
    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def epoch(self, number: int, figures: Mapping[str, float]) -> None:
        self._file.write(json.dumps({"epoch": number, **figures}) + "\n")
        self._file.flush()

    def report(self, path: Path) -> None:
        """Nothing: it lies beside the curves."""


class _Mlflow:
    def epoch(self, number: int, figures: Mapping[str, float]) -> None:
        import mlflow

        mlflow.log_metrics(dict(figures), step=number)

    def report(self, path: Path) -> None:
        import mlflow

        mlflow.log_artifact(str(path))
