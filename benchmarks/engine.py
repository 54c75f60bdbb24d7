"""How fast the text engine is by itself, and beside `transformers.pipeline` with the same encoder on the same texts and device.

python -m benchmarks.engine [--texts N] [--device cuda]
"""

import argparse
import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import Any, NamedTuple

from benchmarks.table import show
from models.engine import TextEngine, choose_device, chosen_artifact, load_engine
from models.passages import Passage
from squall.errors import UserError
from squall.settings import ModelSettings, Settings, get_settings

BATCH_SIZES = {"cpu": (16, 32, 64, 128), "cuda": (32, 128, 512, 1024)}
TRIAL_TEXTS = 2_000
TRIALS = 3
TRANSFORMERS_BATCH = 32
COMPARED_TEXTS = 6_000
"""How many of the texts both score: on a CPU the pipeline takes a minute for them."""
TURN_TEXTS = 1_000


class Rates(NamedTuple):
    """Texts a second, tokenisation included: of the engine on all texts, and of both on those that both score.

    `engine` and `hardware` say what the engine computed on.
    """

    engine_whole: float
    engine_compared: float
    transformers: float
    engine: str
    hardware: str

    @property
    def quotient(self) -> float:
        """How many times faster the engine scores the same texts."""
        return self.engine_compared / self.transformers


def measure(texts: Sequence[str], settings: Settings) -> Rates:
    """Both in turns on the device of the settings, each in a process of its own, so that what else goes on meets both alike.

    Raises:
        UserError: the device or the model is not there.
    """
    settings = settings.model_copy(update={"model": _on(settings.model, choose_device(settings.model.device))})
    compared = texts[:COMPARED_TEXTS]
    turns = [compared[start : start + TURN_TEXTS] for start in range(0, len(compared), TURN_TEXTS)]
    with _process(settings) as ours, _process(settings) as theirs:
        theirs.submit(_pipeline_seconds, texts[:TRANSFORMERS_BATCH]).result()
        size = ours.submit(_best_batch_size, texts[:TRIAL_TEXTS]).result()
        seconds = [
            (ours.submit(_engine_seconds, size, turn).result(), theirs.submit(_pipeline_seconds, turn).result()) for turn in turns
        ]
        whole = ours.submit(_engine_seconds, size, texts).result()
        standing, hardware = ours.submit(_standing, size).result()
    engine, transformers = (sum(column) for column in zip(*seconds, strict=True))
    return Rates(len(texts) / whole, len(compared) / engine, len(compared) / transformers, standing, hardware)


def _on(model: ModelSettings, device: str) -> ModelSettings:
    return model.model_copy(update={"device": device})


def _process(settings: Settings) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin, (settings,))


_chosen: list[Settings] = []


def _begin(settings: Settings) -> None:
    _chosen[:] = [settings]


@cache
def _engine(batch_size: int) -> TextEngine:
    (settings,) = _chosen
    return load_engine(settings.model_copy(update={"model": settings.model.model_copy(update={"batch_size": batch_size})}))


def _best_batch_size(texts: Sequence[str]) -> int:
    """The quickest of some batch sizes."""
    (settings,) = _chosen
    quickest: dict[int, float] = {}
    for _ in range(TRIALS):
        for size in BATCH_SIZES[settings.model.device]:
            quickest[size] = min(_engine_seconds(size, texts), quickest.get(size, float("inf")))
    return min(quickest, key=quickest.__getitem__)


def _engine_seconds(batch_size: int, texts: Sequence[str]) -> float:
    """Seconds in which the engine scores these texts at once."""
    passages = [Passage(text) for text in texts]
    engine = _engine(batch_size)
    start = time.perf_counter()
    engine.score(passages)
    return time.perf_counter() - start


def _standing(batch_size: int) -> tuple[str, str]:
    """What the engine computes on, in words, and the name of the hardware."""
    from pipelines.training.evaluate_text import hardware

    (settings,) = _chosen
    engine = _engine(batch_size)
    standing = f"{engine.version}, {engine.standing['scores on']}"
    if settings.model.device == "cpu":
        return standing, hardware()
    import torch

    return standing, torch.cuda.get_device_name()


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
    (settings,) = _chosen
    artifact = chosen_artifact(settings)
    folder, labels = artifact.encoder_folder, artifact.labels("sentiment")
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(labels), local_files_only=True)
    merged = {name: torch.from_numpy(value) for name, value in artifact.encoder_weights().items()}
    model.base_model.load_state_dict(merged, strict=False)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return pipeline(
        "text-classification",
        model=model,
        tokenizer=tokenizer,
        batch_size=TRANSFORMERS_BATCH,
        device=settings.model.device,
    )


def main() -> None:
    """Print both rates and their quotient: a table, and one JSON line last."""
    from benchmarks.texts import headlines

    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=COMPARED_TEXTS)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), help="default: SQUALL_MODEL__DEVICE")
    arguments = parser.parse_args()
    settings = get_settings()
    if arguments.device:
        settings = settings.model_copy(update={"model": _on(settings.model, arguments.device)})
    try:
        rates = measure([row["title"] for row in headlines(arguments.texts)], settings)
    except UserError as error:
        sys.exit(str(error))
    result = {
        "engine_over_transformers": round(rates.quotient, 2),
        "engine_per_s": round(rates.engine_compared),
        "transformers_per_s": round(rates.transformers),
        "texts": arguments.texts,
        "engine": rates.engine,
        "hardware": rates.hardware,
    }
    show(result, f"The text engine on {rates.hardware}")


if __name__ == "__main__":
    main()
