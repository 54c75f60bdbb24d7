"""The text model on a GPU: bfloat16, too little memory, a GPU that is lost, training steps that are recorded."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.engine import TextEngine, cuda_missing, load_engine
from models.passages import Passage
from squall.settings import ModelSettings, Settings
from tests.text_data import write_data, write_encoder

MISSING = cuda_missing()
TorchRuntime = pytest.importorskip("models.engine_torch", reason="torch is installed for training and GPUs only").TorchRuntime
pytestmark = pytest.mark.skipif(MISSING is not None, reason=f"needs a GPU: {MISSING}")

COMPANIES = ("Kestrel Mills", "Corvo", "Halden & Sons", "$QZT")
EVENTS = ("surges to a record high", "plunges on heavy losses", "names a new chair", "cuts its outlook after the audit" * 4)
PASSAGES = [Passage(f"{who} {what}", (0, len(who))) for who in COMPANIES for what in EVENTS] + [Passage(""), Passage("x " * 900)]

LOSE_IT = """
import sys
from pathlib import Path
import torch
from models.engine import load_engine
from models.passages import Passage, Tokens
from squall.settings import ModelSettings, Settings
engine = load_engine(Settings(home=Path(sys.argv[1]), model=ModelSettings(device="cuda")))
passage = Passage("Corvo plunges on heavy losses", (0, 5))
before = engine.score([passage])[0]
try:
    torch.zeros(3, device="cuda")[torch.tensor([7], device="cuda")].cpu()  # an assertion on the device ends its context
except torch.AcceleratorError:
    pass
after = engine.score([passage])[0]
assert engine.runtime.device.type == "cpu", engine.runtime.device
assert max(abs(a - b) for a, b in zip(before.sentiment, after.sentiment)) < 0.05, (before, after)
print("goes on with the CPU")
"""


def gpu_engine(home: Path, batch_size: int = 32) -> TextEngine:
    return load_engine(Settings(home=home, model=ModelSettings(device="cuda", batch_size=batch_size)))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TextEngine:
    return gpu_engine(tmp_path_factory.mktemp("home"))


@contextmanager
def little_memory(more: int) -> Iterator[None]:
    """Leave so many bytes of the GPU to this process, besides what it holds."""
    import torch

    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + more) / whole)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_it_computes_in_bfloat16_on_the_gpu(engine: TextEngine) -> None:
    assert engine.runtime.name == "torch bf16 on cuda"


def test_a_score_is_the_same_alone_and_among_all(engine: TextEngine) -> None:
    assert engine.score(PASSAGES) == [engine.score([passage])[0] for passage in PASSAGES]


def test_it_agrees_with_float32_on_the_cpu(engine: TextEngine, tmp_path: Path) -> None:
    cpu = load_engine(Settings(home=tmp_path, model=ModelSettings(device="cpu")), "torch")
    gaps = [
        np.abs(np.subtract(one.sentiment, other.sentiment)).max()
        for one, other in zip(engine.score(PASSAGES), cpu.score(PASSAGES), strict=True)
    ]
    assert max(gaps) < 0.1
    assert float(np.mean(gaps)) < 0.02


def test_too_little_memory_halves_the_batches(tmp_path: Path) -> None:
    engine = gpu_engine(tmp_path, batch_size=1024)
    with little_memory(24 * 2**20):
        scores = engine.score([Passage("word " * 120 + str(i)) for i in range(1024)])
    assert len(scores) == 1024
    assert isinstance(engine.runtime, TorchRuntime)
    assert engine.runtime.device.type == "cuda"
    assert 1 <= engine.runtime.batch_size < 1024


def test_a_lost_gpu_is_replaced_by_the_cpu(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", LOSE_IT, str(tmp_path)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "goes on with the CPU" in run.stdout


def test_recorded_training_steps_learn_what_plain_ones_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.torch import load_file

    from pipelines.training import train_text
    from pipelines.training.datasets import load_text_data
    from pipelines.training.recipe import Recipe

    data, base = load_text_data(write_data(tmp_path / "data")), train_text.encoder_files(write_encoder(tmp_path / "tiny"))
    recipe = Recipe(epochs=3, batch_size=8, rank=4, average=0.9)

    def learnt(name: str) -> tuple[float, dict[str, Any]]:
        trainer = train_text.Trainer(data, recipe, tmp_path / name, "cuda", base=base)
        began = {key: value.detach().clone() for key, value in trainer.trainable.items()}
        trainer.run(lambda *step: None)
        now = {key: value.cpu() for key, value in load_file(tmp_path / name / train_text.CHECKPOINT).items() if key in began}
        return sum(float((now[key] - began[key].cpu()).norm()) for key in began), now

    moved, recorded = learnt("recorded")
    monkeypatch.setattr(
        train_text,
        "GraphedStep",
        lambda learn, device: lambda batch: learn({name: value.to(device) for name, value in batch.items()}),
    )
    _, plain = learnt("plain")
    apart = sum(float((recorded[name] - plain[name]).norm()) for name in plain)
    print(f"moved by {moved:.4f}, apart by {apart:.4f}")
    assert moved > 0
    assert apart < 0.1 * moved
