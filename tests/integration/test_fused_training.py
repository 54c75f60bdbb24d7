"""`squall train fused` and `squall evaluate fused` on a small StockNet of our own: trained, killed, resumed, judged."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml

from models.drawing import render_chart
from models.engine import load_engine
from models.fused_artifact import load_fused
from pipelines.training.evaluate_fused import read_predictions
from pipelines.training.fused_config import read_config, runs_of
from pipelines.training.fused_runs import prepare, train_all
from pipelines.training.train_fused import CHECKPOINT, PREDICTIONS, SUMMARY
from squall.settings import ModelSettings, Settings
from tests.stocknet_data import write_stocknet

CONFIG: dict[str, Any] = {
    "tasks": ["adjusted", "raw"],
    "models": ["fused", "text"],
    "seeds": [1],
    "epochs": 2,
    "batch_size": 128,
    "charts": 12,
    "pretrain": {"price_windows": 128, "price_epochs": 1, "charts": 64, "chart_epochs": 1},
}
PAGE = "results.md"


def squall(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    names = {"SQUALL_HOME": home, "SQUALL_DATA_DIR": home / "data", "SQUALL_MODEL__THREADS": "1", "SQUALL_MODEL__DEVICE": "cpu"}
    environment = os.environ | {name: str(value) for name, value in names.items()}
    command = [sys.executable, "-m", "squall", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500, check=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose runs are done."""
    made = tmp_path_factory.mktemp("home")
    write_stocknet(made / "data")
    (made / "small.yaml").write_text(yaml.safe_dump(CONFIG))
    done = squall(made, "train", "fused", "--config", str(made / "small.yaml"))
    assert done.returncode == 0, done.stderr
    assert "all runs are done" in done.stdout
    return made


@pytest.fixture(scope="module")
def told(home: Path) -> dict[str, Any]:
    """What the evaluation says; its page is written too."""
    judged = squall(home, "evaluate", "fused", "--json", "--page", str(home / PAGE))
    assert judged.returncode == 0, judged.stderr
    found: dict[str, Any] = json.loads(judged.stdout)
    return found


def test_every_run_leaves_predictions_with_ids_and_the_hash_of_the_split(home: Path) -> None:
    runs = sorted((home / "train" / "fused").rglob(SUMMARY))
    assert [str(run.parent.relative_to(home / "train" / "fused")) for run in runs] == [
        *(f"adjusted/{model}/2015-q{quarter}/seed-1" for model in ("fused", "text") for quarter in range(1, 5)),
        *(f"raw/{model}/published/seed-1" for model in ("fused", "text")),
    ]
    for run in runs:
        rows = pd.read_parquet(run.parent / PREDICTIONS)
        assert set(rows["split"]) == {json.loads(run.read_text())["split"]}
        assert {"dev", "test"} == set(rows["part"])
        assert rows["id"].is_unique
        curves = [json.loads(line) for line in (run.parent / "curves.jsonl").read_text().splitlines()]
        assert [line["epoch"] for line in curves] == [1, 2]
        assert {"fusion", "alignment", "reconstruction", "dev_fusion"} <= curves[0].keys()


def test_all_figures_come_from_the_predictions(home: Path, told: dict[str, Any]) -> None:
    assert {own["trend"]["rows"] for own in told["charts"].values()} == {CONFIG["charts"]}
    assert {"plain", "random"} <= told["charts"].keys()
    # Falls are judged on every company and day of 2015, directions where there is one.
    assert told["impact"]["rows"] == 3 * len(pd.bdate_range("2015-01-01", "2015-12-31")) > told["tasks"]["adjusted"]["B"]["rows"]
    raw = told["tasks"]["raw"]["B"]
    gap, low, high = raw["fused_less"]["text"]
    assert low <= gap <= high
    assert gap == pytest.approx(raw["fused"]["accuracy"] - raw["text"]["accuracy"], abs=2e-4)
    page = home / PAGE
    first = page.read_text()
    assert "<!-- fused: begin -->" in first
    assert "<!-- fused: end -->" in first
    assert squall(home, "evaluate", "fused", "--page", str(page)).returncode == 0
    assert page.read_text() == first


def test_the_model_of_the_last_fold_is_written_with_the_heads_that_proved_themselves(home: Path, told: dict[str, Any]) -> None:
    version = load_engine(Settings(home=home, model=ModelSettings(device="cpu", threads=1))).version
    artifact = load_fused(home / "train" / "fused" / "artifact")
    assert artifact.text_model == version
    assert artifact.manifest["training"]["run"] == "adjusted/fused/2015-q4/seed-1"
    # Price and chart were not trained by themselves here, so nothing shows that direction is better than they are.
    assert artifact.manifest["heads"] == {"impact": told["impact"]["ships"], "direction": False}


def test_the_chart_encoder_describes_a_chart_and_says_how_sure_it_is(home: Path) -> None:
    made = squall(home, "train", "chart", "--config", str(home / "small.yaml"))
    assert made.returncode == 0, made.stderr
    manifest = json.loads((home / "train" / "chart" / "manifest.json").read_text())
    assert {own["rows"] for own in manifest["figures"]["plain"].values()} == {CONFIG["charts"]}
    frame = pd.DataFrame(
        {"start": pd.date_range("2014-01-01", periods=250), "open": 50.0, "high": 60.0, "low": 40.0, "close": 55.0, "volume": 1e6}
    )
    (home / "chart.png").write_bytes(render_chart(frame))
    model = ("--model", str(home / "train" / "chart"))
    told = squall(home, "describe-chart", str(home / "chart.png"), "--json", *model)
    assert told.returncode == 0, told.stderr
    said = json.loads(told.stdout)
    assert {name: own["trusted"] for name, own in said["attributes"].items()} == manifest["trusted"]
    lines = squall(home, "describe-chart", str(home / "chart.png"), *model).stdout.splitlines()
    assert lines[0] == said["sentence"]
    assert [line.split(":")[0].strip() for line in lines[1:]] == list(said["attributes"])
    assert sum("no better than a guess" in line for line in lines) == sum(not own for own in manifest["trusted"].values())
    refused = squall(home, "describe-chart", str(home / "small.yaml"), *model)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert refused.stderr.rstrip().endswith("small.yaml: no PNG or JPEG image")


def test_a_run_that_was_stopped_goes_on_to_the_same_result(home: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    settings = Settings(home=home, data_dir=home / "data", model=ModelSettings(device="cpu", threads=1))
    config = read_config(home / "small.yaml").model_copy(update={"models": ("fused",), "tasks": ("raw",)})
    (run,) = runs_of(config)
    material = prepare(settings.data_dir, load_engine(settings), config, home / "cache" / "fused", lambda *_: None)
    stop = threading.Event()
    left = train_all(material, config, tmp_path, home, "cpu", False, stop, lambda *_: stop.set())
    assert left == [run]
    assert (tmp_path / run.name / CHECKPOINT).exists()
    assert not (tmp_path / run.name / SUMMARY).exists()
    assert train_all(material, config, tmp_path, home, "cpu", True, threading.Event(), lambda *_: None) == []
    assert not (tmp_path / run.name / CHECKPOINT).exists()
    whole = pd.read_parquet(home / "train" / "fused" / run.name / PREDICTIONS)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / run.name / PREDICTIONS), whole)


def test_bad_input_is_one_line(home: Path, tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text("joint: magic\n")
    told = squall(home, "train", "fused", "--config", str(tmp_path / "odd.yaml"))
    assert told.returncode == 2
    assert told.stderr.count("\n") == 1
    assert "joint" in told.stderr
    empty = squall(home, "evaluate", "fused", "--runs", str(tmp_path))
    assert empty.returncode == 1
    assert "no finished runs" in empty.stderr


def test_a_walk_that_lacks_a_fold_is_not_judged(home: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(home / "train" / "fused", tmp_path / "runs"))
    (copied / "adjusted" / "text" / "2015-q2" / "seed-1" / SUMMARY).unlink()
    assert set(read_predictions(copied).predictions) == {"adjusted/fused", "raw/fused", "raw/text"}


def test_runs_of_different_splits_are_not_compared(home: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(home / "train" / "fused", tmp_path / "runs"))
    summary = next(copied.rglob(SUMMARY))
    summary.write_text(json.dumps(json.loads(summary.read_text()) | {"split": "another"}))
    told = squall(home, "evaluate", "fused", "--runs", str(copied))
    assert told.returncode == 1
    assert "different splits" in told.stderr
