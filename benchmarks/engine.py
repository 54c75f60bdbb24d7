"""How fast the text engine is by itself, and beside `transformers.pipeline` with the same encoder on the same texts.

python -m benchmarks.engine [--texts N]
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import Any, NamedTuple

from models.artifact import SHIPPED, base_folder, load_artifact
from models.engine import TextEngine, load_engine
from models.passages import Passage
from squall.settings import get_settings

BATCH_SIZES = (16, 32, 64, 128)
TRIAL_TEXTS = 2_000
TRIALS = 3
TRANSFORMERS_BATCH = 32
COMPARED_TEXTS = 6_000
"""How many of the texts both score: the pipeline takes a minute for them."""
TURN_TEXTS = 1_000


class Rates(NamedTuple):
    """Texts a second, tokenisation included: of the engine on all texts, and of both on those that both score."""

    engine: float
    engine_compared: float
    transformers: float

    @property
    def quotient(self) -> float:
        """How many times faster the engine scores the same texts."""
        return self.engine_compared / self.transformers


def measure(texts: Sequence[str]) -> Rates:
    """Both in turns, each in a process of its own, so that what else a machine does meets both alike."""
    compared = texts[:COMPARED_TEXTS]
    turns = [compared[start : start + TURN_TEXTS] for start in range(0, len(compared), TURN_TEXTS)]
    with _process() as ours, _process() as theirs:
        theirs.submit(_pipeline_seconds, texts[:TRANSFORMERS_BATCH]).result()
        ours.submit(_choose_batch_size, texts[:TRIAL_TEXTS]).result()
        seconds = [
            (ours.submit(_engine_seconds, turn).result(), theirs.submit(_pipeline_seconds, turn).result()) for turn in turns
        ]
        whole = ours.submit(_engine_seconds, texts).result()
    engine, transformers = (sum(column) for column in zip(*seconds, strict=True))
    return Rates(len(texts) / whole, len(compared) / engine, len(compared) / transformers)


def _process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


@cache
def _engine() -> TextEngine:
    return load_engine(get_settings())


def _choose_batch_size(texts: Sequence[str]) -> None:
    """Set the engine to the best of some batch sizes."""
    quickest: dict[int, float] = {}
    for _ in range(TRIALS):
        for size in BATCH_SIZES:
            _engine().batch_size = size
            quickest[size] = min(_engine_seconds(texts), quickest.get(size, float("inf")))
    _engine().batch_size = min(quickest, key=quickest.__getitem__)


def _engine_seconds(texts: Sequence[str]) -> float:
    """Seconds in which the engine scores these texts at once."""
    passages = [Passage(text) for text in texts]
    start = time.perf_counter()
    _engine().score(passages)
    return time.perf_counter() - start


def _pipeline_seconds(texts: Sequence[str]) -> float:
    """Seconds in which `transformers.pipeline` classifies these texts."""
    classify = _pipeline()
    rows = list(texts)
    start = time.perf_counter()
    classify(rows)
    return time.perf_counter() - start


@cache
def _pipeline() -> Any:
    """`transformers.pipeline(batch_size=32)` with the same encoder and a head of three classes."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    from models.text import hush_transformers

    hush_transformers()
    artifact = load_artifact(get_settings().model.dir or SHIPPED)
    folder = base_folder()
    labels = artifact.labels("sentiment")
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(labels), local_files_only=True)
    merged = {name: torch.from_numpy(value) for name, value in artifact.encoder_weights().items()}
    model.bert.load_state_dict(merged, strict=False)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return pipeline("text-classification", model=model, tokenizer=tokenizer, batch_size=TRANSFORMERS_BATCH, device="cpu")


def main() -> None:
    """Print both rates and their quotient as one JSON line."""
    from benchmarks.texts import headlines

    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=COMPARED_TEXTS)
    rates = measure([row["title"] for row in headlines(parser.parse_args().texts)])
    print(
        json.dumps(
            {
                "engine_per_s": round(rates.engine_compared),
                "transformers_per_s": round(rates.transformers),
                "engine_over_transformers": round(rates.quotient, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
