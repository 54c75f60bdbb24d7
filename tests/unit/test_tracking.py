"""Where the curves and the report of a training run go."""

import importlib.util
import json
from pathlib import Path

import pytest

from pipelines.training.tracking import CURVES, EXPERIMENT, tracked


def run(folder: Path, home: Path, epochs: range, begun: bool) -> None:
    """A run that is stopped after some epochs; the fourth is its last."""
    with tracked(folder, home, "adjusted/fused", {"seed": 1}, begun) as track:
        for number in epochs:
            track.epoch(number, {"fusion": 1 / number})
        if 4 in epochs:
            (folder / "run.json").write_text("{}")
            track.report(folder / "run.json")


def test_without_mlflow_curves_lie_beside_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    run(tmp_path, tmp_path, range(1, 3), begun=False)
    run(tmp_path, tmp_path, range(3, 5), begun=True)
    lines = [json.loads(line) for line in (tmp_path / CURVES).read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    run(tmp_path, tmp_path, range(1, 2), begun=False)
    assert len((tmp_path / CURVES).read_text().splitlines()) == 1


def test_mlflow_has_one_run_with_its_curve_and_report_though_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed here")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    folder, home = tmp_path / "run", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    run(folder, home, range(1, 3), begun=False)
    run(folder, home, range(3, 5), begun=True)
    client = mlflow.MlflowClient()
    [found] = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])
    assert found.info.run_name == "adjusted/fused"
    assert found.data.params == {"seed": "1"}
    assert [point.step for point in client.get_metric_history(found.info.run_id, "fusion")] == [1, 2, 3, 4]
    assert [item.path for item in client.list_artifacts(found.info.run_id)] == ["run.json"]
    assert {path.name for path in tmp_path.iterdir()} == {"run", "home"}
    run(folder, home, range(1, 3), begun=False)
    assert len(client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])) == 2
