"""The benchmark of the text engine: what it measures, and on which device."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.engine import cuda_missing

pytest.importorskip("transformers", reason="transformers is installed for training and benchmarks only")


def bench(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.engine", "--texts", "48", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "SQUALL_HOME": str(home)})


@pytest.mark.slow
def test_both_score_the_same_texts_on_the_cpu(tmp_path: Path) -> None:
    done = bench(tmp_path, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["texts"] == 48
    assert told["engine_per_s"] > 0
    assert told["transformers_per_s"] > 0
    assert "ONNX Runtime int8, batches of" in told["engine"]
    assert "cores" in told["hardware"]
    assert "The text engine on" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(cuda_missing() is not None, reason=f"needs a GPU: {cuda_missing()}")
def test_both_score_the_same_texts_on_a_gpu(tmp_path: Path) -> None:
    done = bench(tmp_path, "--device", "cuda")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert "torch bf16 on cuda, batches of" in told["engine"]
    assert told["engine_over_transformers"] > 0


@pytest.mark.skipif(cuda_missing() is None, reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = bench(tmp_path, "--device", "cuda")
    assert done.returncode == 1
    assert done.stderr.startswith("SQUALL_MODEL__DEVICE=cuda: ")
    assert len(done.stderr.splitlines()) == 1
