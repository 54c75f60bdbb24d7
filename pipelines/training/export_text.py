"""From a training checkpoint to an artifact: small tensors, ranges for int8, temperatures, and a manifest that says whence."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import torch
from safetensors import safe_open

from models.artifact import RANGES, TOKENIZER, Artifact, artifact_name, base_folder, write_artifact
from models.batches import bucketed, pack
from models.engine import TextEngine, choose_device
from models.engine_onnx import OnnxRuntime, session
from models.engine_torch import TorchRuntime, computes_in_bf16
from models.graph import build_graph
from models.heads import head_inputs
from models.passages import MAX_TOKENS, PassageEncoder
from pipelines.training.datasets import SENTIMENTS, Row, TextData
from pipelines.training.fit_lexical import SHARES, fit_lexical, scaled
from pipelines.training.marking import marked_passage
from pipelines.training.temperature import best_temperature

Array = np.ndarray[Any, Any]

CALIBRATION_ROWS = 600


def export_artifact(checkpoint: Path, data: TextData, out: Path, threads: int, base: Path | None = None) -> Artifact:
    """Turn a checkpoint's weights into an artifact in `out`; `base` is the folder of the encoder, if not the package's.

    The ranges of the activations and the lexical classifier come from training rows, its share and the temperatures from
    held-out ones: no evaluation row is read.
    """
    tensors, metadata = read_checkpoint(checkpoint)
    recipe = json.loads(metadata["recipe"])
    manifest: dict[str, Any] = {
        "name": "text-base" if base else "text",
        "labels": {"sentiment": list(SENTIMENTS), "topic": list(data.topics)},
        "lora": {"rank": recipe["rank"], "alpha": 2 * recipe["rank"]},
        "max_tokens": MAX_TOKENS,
        "temperatures": {"sentiment": 1.0, "topic": 1.0},
    }
    topical = [row for row in data.train if row.task == "topic"]
    encode = PassageEncoder((base or base_folder()) / TOKENIZER)
    passages = [marked_passage(row) for row in topical]
    lexical = fit_lexical(encode(passages), [row.label for row in topical], len(data.topics))
    if base is None:
        unscaled = write_artifact(out, manifest, tensors | lexical)
        ranges = input_ranges(unscaled, data.train, threads)
        tensors |= {f"{RANGES}{name}": value for name, value in ranges.items()}
    uncalibrated = write_artifact(out, manifest, tensors | lexical, base)
    with TemporaryDirectory() as cache:
        if base is None:
            engine = TextEngine(uncalibrated, OnnxRuntime(uncalibrated, Path(cache)), batch_size=32, at_once=threads)
        else:
            engine = half_engine(uncalibrated, "auto")
    temperatures, share, figures = fit_held_out(engine, data.held_out)
    progress = json.loads(metadata["progress"])
    manifest |= {
        "temperatures": temperatures,
        "lexical": {"share": share, "held_out_topic_accuracy": figures},
        "data": {
            "digest": metadata["data"],
            "version": data.version,
            "rows": len(data.train),
            "held_out_rows": len(data.held_out),
            "dropped_near_copies_of_evaluation_rows": data.dropped,
        },
        "recipe": recipe,
        "held_out": progress["history"],
        "git": git_revision(),
    }
    return write_artifact(out, manifest, tensors | scaled(lexical, share), base)


def half_engine(artifact: Artifact, wanted: Literal["auto", "cpu", "cuda"]) -> TextEngine:
    """The engine on torch, in bfloat16 where that is fast, on a CPU too; there it takes half the time of float32."""
    device = choose_device(wanted)
    return TextEngine(artifact, TorchRuntime(artifact, device, 32, half=computes_in_bf16(torch.device(device))), 32)


def read_checkpoint(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """The checkpoint's weights under the base encoder's names, the low-rank ones as float16, and its metadata."""
    tensors = {}
    with safe_open(path, framework="numpy") as file:
        metadata = dict(file.metadata())
        for name in file.keys():  # noqa: SIM118  (safe_open is no mapping)
            if not name.startswith("optimizer."):
                value = file.get_tensor(name)
                plain = artifact_name(name)
                tensors[plain] = value.astype(np.float16) if "lora_" in plain else value
    return tensors, metadata


def input_ranges(artifact: Artifact, rows: Sequence[Row], threads: int) -> dict[str, Array]:
    """The least and greatest value of each input channel of each matrix product, over a sample of the rows."""
    model, inputs_of = build_graph(artifact.encoder_weights(), ranges=None, watch_inputs=True)
    runtime = session(model.SerializeToString(), threads)
    names = [output.name for output in runtime.get_outputs()]
    sample = rows[:: max(1, len(rows) // CALIBRATION_ROWS)]
    tokens = PassageEncoder(artifact.tokenizer)([marked_passage(row) for row in sample])
    ranges: dict[str, Array] = {}
    for chosen in bucketed(tokens, 32, step=1):
        outputs = dict(zip(names, runtime.run(names, pack([tokens[i] for i in chosen])), strict=True))
        for name, source in inputs_of.items():
            low, high = outputs[source].min(axis=(0, 1)), outputs[source].max(axis=(0, 1))
            if name in ranges:
                low, high = np.minimum(low, ranges[name][0]), np.maximum(high, ranges[name][1])
            ranges[name] = np.stack([low, high])
    return ranges


def fit_held_out(engine: TextEngine, rows: Sequence[Row]) -> tuple[dict[str, float], float, dict[str, float]]:
    """Each head's temperature and the share of the lexical logits in the topic's, with the least negative log-likelihood.

    Returns temperatures, share, and the topic accuracy on these rows without and with the lexical logits.
    """
    tokens = engine.encode([marked_passage(row) for row in rows])
    inputs = head_inputs(engine.features([marked_passage(row) for row in rows]))
    chosen = {name: [i for i, row in enumerate(rows) if row.task == name] for name in engine.heads}
    labels = {name: np.array([rows[i].label for i in places]) for name, places in chosen.items()}
    sentiment, topic = (engine.heads[name].logits(inputs[name][chosen[name]]) for name in ("sentiment", "topic"))
    lexical = engine.lexical.logits([tokens[i] for i in chosen["topic"]])
    found = {share: best_temperature(topic + share * lexical, labels["topic"]) for share in map(float, SHARES)}
    share = min(found, key=lambda one: found[one][1])
    temperatures = {"sentiment": best_temperature(sentiment, labels["sentiment"])[0], "topic": found[share][0]}
    accuracies = {
        name: round(float(((topic + part * lexical).argmax(axis=1) == labels["topic"]).mean()), 4)
        for name, part in (("without", 0.0), ("with", share))
    }
    return temperatures, round(share, 2), accuracies


def git_revision() -> str | None:
    """The commit that the code stands at; None outside a checkout."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
