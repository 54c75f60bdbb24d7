"""The encoder on ONNX Runtime: int8 with static scales, one session, built once for each set of weights and cached."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models import graph
from models.batches import Window, pack

if TYPE_CHECKING:
    from models.artifact import Artifact

Array = np.ndarray[Any, Any]


class OnnxRuntime:
    """Runs the int8 graph on the CPU, each batch on the thread that asks."""

    name = "ONNX Runtime int8"
    step = 1
    batch_size = None
    degraded = None

    def __init__(self, artifact: Artifact, cache: Path) -> None:
        self._session = session(cached_graph(artifact, cache), threads=1)

    def features(self, read: Sequence[Window]) -> Array:
        """As `Runtime.features`."""
        states = self._session.run(["states"], pack(read))[0]
        return np.concatenate([means(own, window.owns) for own, window in zip(states, read, strict=True)])


def means(states: Array, owns: Sequence[Sequence[int]]) -> Array:
    """Means of the states (tokens, hidden) over all tokens and over each company's, all where it has none; (owns, 2, hidden)."""
    text = states.mean(axis=0)
    return np.stack([(text, states[np.flatnonzero(own)].mean(axis=0) if any(own) else text) for own in owns])


def session(model: Path | bytes, threads: int) -> Any:
    """An ONNX Runtime session on the CPU. Fusions stay off: those on offer here are slower than what they replace."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(
        os.fspath(model) if isinstance(model, Path) else model, options, providers=["CPUExecutionProvider"]
    )


def cached_graph(artifact: Artifact, cache: Path) -> Path:
    """The graph's file, named by the encoder's weights and by the code that builds it; built when it is not there."""
    digest = hashlib.sha256(Path(graph.__file__).read_bytes())
    digest.update(json.dumps([artifact.manifest[key] for key in ("base", "files", "lora")], sort_keys=True).encode())
    path = cache / f"{artifact.manifest['name']}-{digest.hexdigest()[:16]}.onnx"
    if not path.is_file():
        model, _ = graph.build_graph(artifact.encoder_weights(), artifact.ranges)
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_bytes(model.SerializeToString())
        os.replace(partial, path)
    return path
