"""What a worker says of its engine where the GPU's memory does not suffice, and where the GPU is lost."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from models.artifact import SHIPPED, load_artifact
from models.batches import Window
from models.engine import TextEngine, load_engine
from models.passages import Passage
from squall.settings import ModelSettings, Settings
from streams.scoring import about

torch = pytest.importorskip("torch", reason="torch is installed for training and GPUs only")

PASSAGES = [Passage(f"Corvo plunges on losses of {i}", (0, 5)) for i in range(12)]


def engine_on_a_stub(failing: Any) -> TextEngine:
    """The shipped model on the CPU that takes itself for a GPU; `failing(rows of a batch)`: what that raises, or None."""
    from models.engine_torch import TorchRuntime

    class OnAStub(TorchRuntime):
        def _serve_on(self, device: str) -> None:
            super()._serve_on("cpu")
            self.device = torch.device(device)

        def _features(self, read: Sequence[Window]) -> Any:
            stub = self.device
            if stub.type == "cuda" and (error := failing(self.batch_size)):
                raise error
            self.device = torch.device("cpu")
            try:
                return super()._features(read)
            finally:
                self.device = stub

    artifact = load_artifact(SHIPPED)
    return TextEngine(artifact, OnAStub(artifact, "cuda", 16), 16)


def named(engine: TextEngine) -> dict[str, str]:
    return about(engine, "none")


def test_halved_batches_are_named_and_the_scores_stay() -> None:
    engine = engine_on_a_stub(lambda rows: torch.cuda.OutOfMemoryError("CUDA out of memory. Tried.") if rows > 4 else None)
    assert named(engine) == {
        "text model": engine.version,
        "scores on": "torch float32 on cuda, batches of 16",
        "fused model": "none",
    }
    scores = engine.score(PASSAGES)
    assert named(engine)["scores on"] == "torch float32 on cuda, batches of 4"
    assert named(engine)["degraded"] == "the GPU's memory does not suffice for batches of 16"
    assert engine_on_a_stub(lambda _rows: None).score(PASSAGES) == scores


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (torch.AcceleratorError("CUDA error: unspecified launch failure\nCompile with ..."), "unspecified launch failure"),
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB."), "CUDA out of memory"),
    ],
)
def test_a_lost_gpu_is_named_with_its_reason(error: Exception, reason: str) -> None:
    engine = engine_on_a_stub(lambda _rows: error)
    assert len(engine.score(PASSAGES)) == len(PASSAGES)
    assert named(engine)["scores on"].startswith("torch float32 on cpu, batches of ")
    assert named(engine)["degraded"].startswith("the CPU scores since the GPU was lost: CUDA ")
    assert named(engine)["degraded"].endswith(reason)


def test_onnx_is_never_degraded(tmp_path: Path) -> None:
    engine = load_engine(Settings(home=tmp_path, model=ModelSettings(device="cpu", batch_size=24)))
    assert engine.standing == {"scores on": "ONNX Runtime int8, batches of 24"}
