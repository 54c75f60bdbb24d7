"""One interface to the text model, on ONNX Runtime (CPU) and torch (CUDA)."""

from __future__ import annotations

import ctypes
import importlib.util
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np

from models.artifact import SHIPPED, SHIPPED_BASE, load_artifact
from models.batches import Window, bucketed, windows
from models.heads import Head, head_inputs
from models.lexical import LexicalHead
from models.passages import Passage, PassageEncoder, Tokens
from squall.errors import UsageError

if TYPE_CHECKING:
    from models.artifact import Artifact
    from squall.settings import Settings

Array = np.ndarray[Any, Any]
RuntimeName = Literal["onnx", "torch"]

log = logging.getLogger("squall.model")


class TextScore(NamedTuple):
    """Calibrated probabilities, rounded to 4 digits: the same for a passage alone and in any batch."""

    sentiment: tuple[float, float, float]
    topic: tuple[float, ...]


class Engine(Protocol):
    """Scores passages. Thread safe; releases the GIL while it computes."""

    version: str
    sentiment_labels: tuple[str, ...]
    topic_labels: tuple[str, ...]

    def score(self, passages: Sequence[Passage]) -> list[TextScore]:
        """Score passages of any length, the empty one included, in the order given."""
        ...


class Runtime(Protocol):
    """Runs the encoder on one batch of a single padded length."""

    step: int
    """Passages are padded to a multiple of this many tokens."""

    @property
    def name(self) -> str:
        """Library and number format, as reports print it."""
        ...

    @property
    def batch_size(self) -> int | None:
        """Rows that one batch has at most, now; None: as many as it is given."""
        ...

    @property
    def degraded(self) -> str | None:
        """Why it computes otherwise than it was asked to, in words; None: it does not."""
        ...

    def features(self, read: Sequence[Window]) -> Array:
        """Means over the text and over the company of each passage that the windows are read for, float32 (passages, 2, hidden).

        Each is independent of the others.
        """
        ...


class TextEngine:
    """The text model on one runtime, which runs `at_once` batches side by side."""

    def __init__(self, artifact: Artifact, runtime: Runtime, batch_size: int, at_once: int = 1) -> None:
        self.version = artifact.version
        self.sentiment_labels = artifact.labels("sentiment")
        self.topic_labels = artifact.labels("topic")
        self.runtime = runtime
        self.batch_size = batch_size
        self._pool = ThreadPoolExecutor(at_once, "model") if at_once > 1 else None
        self.encode = PassageEncoder(artifact.tokenizer, artifact.manifest["max_tokens"])
        self.heads = {
            name: Head(name, artifact.tensors, temperature) for name, temperature in artifact.manifest["temperatures"].items()
        }
        self.lexical = LexicalHead(artifact.tensors)
        self.hidden = artifact.tensors["topic.weight"].shape[1]

    @property
    def standing(self) -> dict[str, str]:
        """What it runs on, in words, as `scores on`; and `degraded`, with why, only where that is not what it began with."""
        rows = min(self.batch_size, self.runtime.batch_size or self.batch_size)
        words = {"scores on": f"{self.runtime.name}, batches of {rows}"}
        return words if self.runtime.degraded is None else {**words, "degraded": self.runtime.degraded}

    def score(self, passages: Sequence[Passage]) -> list[TextScore]:
        """Score passages of any length, the empty one included, in the order given."""
        return [score for score, _ in self.read(passages)]

    def read(self, passages: Sequence[Passage]) -> list[tuple[TextScore, Array]]:
        """The score of each passage, and the vector that it comes from: its features as one row of 2 x hidden."""
        tokens = self.encode(passages)
        features = self._features(tokens)
        return list(zip(self._judged(tokens, features), features.reshape(len(features), 2 * self.hidden), strict=True))

    def logits(self, tokens: Sequence[Tokens], features: Array) -> dict[str, Array]:
        """Logits (passages, classes) of each head, before its temperature."""
        inputs = head_inputs(features)
        found = {name: head.logits(inputs[name]) for name, head in self.heads.items()}
        return {**found, "topic": found["topic"] + self.lexical.logits(tokens)}

    def _judged(self, tokens: Sequence[Tokens], features: Array) -> list[TextScore]:
        logits = self.logits(tokens, features)
        sentiment, topic = (self.heads[name].probabilities(logits[name]).tolist() for name in ("sentiment", "topic"))
        return [TextScore(tuple(s), tuple(t)) for s, t in zip(sentiment, topic, strict=True)]

    def features(self, passages: Sequence[Passage]) -> Array:
        """Means over the text and over the company, float32 (passages, 2, hidden)."""
        return self._features(self.encode(passages))

    def _features(self, tokens: Sequence[Tokens]) -> Array:
        features = np.empty((len(tokens), 2, self.hidden), dtype=np.float32)
        read = windows(tokens)

        def run(chosen: list[int]) -> None:
            rows = [row for i in chosen for row in read[i].rows]
            features[rows] = self.runtime.features([read[i] for i in chosen])

        each = self._pool.map if self._pool else map
        for _ in each(run, bucketed(read, self.batch_size, self.runtime.step)):
            pass
        return features


def load_engine(settings: Settings, runtime: RuntimeName | None = None) -> TextEngine:
    """The engine that the settings ask for; `runtime` overrides what the device would choose.

    Raises:
        UserError: the weights are missing or damaged, or a GPU was asked for that is not there.
    """
    return engine_of(chosen_artifact(settings), settings, runtime)


def chosen_artifact(settings: Settings) -> Artifact:
    """The artifact that the settings ask for, verified.

    Raises:
        ArtifactError: it is missing or damaged.
    """
    usual = SHIPPED_BASE if settings.model.text == "base" else SHIPPED
    return load_artifact(settings.model.dir or usual, settings.model.base)


def engine_of(artifact: Artifact, settings: Settings, runtime: RuntimeName | None = None) -> TextEngine:
    """The engine of a verified artifact, on what the settings ask for.

    Raises:
        UserError: as `load_engine`.
    """
    device = choose_device(settings.model.device)
    if runtime == "onnx" and not artifact.packaged:
        raise UsageError(f"{artifact.version} runs on torch only: its encoder is {artifact.manifest['base']['name']}")
    if runtime == "torch" or not artifact.packaged or (runtime is None and device == "cuda"):
        if importlib.util.find_spec("torch") is None:
            raise UsageError("the torch runtime is not installed: pip install 'squall[gpu]'")
        from models.engine_torch import TorchRuntime

        return TextEngine(artifact, TorchRuntime(artifact, device, settings.model.batch_size), settings.model.batch_size)
    from models.engine_onnx import OnnxRuntime

    threads = settings.model.threads or max(1, (os.cpu_count() or 1) // settings.workers)
    # Batches beside each other use the cores better than threads within one: most products of this model are small.
    return TextEngine(artifact, OnnxRuntime(artifact, settings.home / "models"), settings.model.batch_size, at_once=threads)


def choose_device(wanted: Literal["auto", "cpu", "cuda"]) -> Literal["cpu", "cuda"]:
    """The device to compute on: with `auto` a GPU where one can be used.

    Raises:
        UsageError: `cuda` was asked for and cannot be used.
    """
    if wanted == "cpu":
        return "cpu"
    reason = cuda_missing()
    if reason is None:
        return "cuda"
    if wanted == "cuda":
        raise UsageError(f"SQUALL_MODEL__DEVICE=cuda: {reason}")
    log.info("model on CPU: %s", reason)
    return "cpu"


def cuda_missing() -> str | None:
    """Why CUDA cannot be used; None when it can. torch, slow to import, is asked only where a driver is installed."""
    try:
        ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return "no NVIDIA driver on this machine"
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed (pip install 'squall[gpu]')"
    import torch

    return None if torch.cuda.is_available() else "torch sees no CUDA device"
