"""Where a run's curves go: to MLflow where it is installed, else to a file of JSON lines beside the run."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

EXPERIMENT = "squall-fused"
CURVES = "curves.jsonl"


class Tracker(Protocol):
    """Takes the figures of one epoch."""

    def __call__(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Log the figures of an epoch."""
        ...


@contextmanager
def tracked(folder: Path, home: Path, name: str, parameters: Mapping[str, Any], begun: bool) -> Iterator[Tracker]:
    """A tracker for one run; `begun` says that it goes on from an earlier epoch.

    MLflow's store is `<home>/mlflow.db`, or what MLFLOW_TRACKING_URI names.
    """
    if importlib.util.find_spec("mlflow") is None:
        with (folder / CURVES).open("a" if begun else "w") as file:

            def write(epoch: int, figures: Mapping[str, float]) -> None:
                file.write(json.dumps({"epoch": epoch, **figures}) + "\n")
                file.flush()

            yield write
        return
    import os

    import mlflow

    if "MLFLOW_TRACKING_URI" not in os.environ:
        mlflow.set_tracking_uri(f"sqlite:///{home.resolve() / 'mlflow.db'}")
    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run(run_name=name):
        mlflow.log_params(dict(parameters))
        yield lambda epoch, figures: mlflow.log_metrics(dict(figures), step=epoch)
