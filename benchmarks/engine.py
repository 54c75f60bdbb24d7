"""How fast the text engine is by itself, and beside `transformers.pipeline` with the same encoder on the same texts.

python -m benchmarks.engine [--texts N]
"""

import argparse
import json
import time
from collections.abc import Sequence

from models.artifact import SHIPPED, base_folder, load_artifact
from models.engine import TextEngine, load_engine
from models.passages import Passage
from squall.settings import get_settings

BATCH_SIZES = (16, 32, 64, 128)
TRIAL_TEXTS = 512
TRANSFORMERS_BATCH = 32


def engine_rate(texts: Sequence[str]) -> float:
    """Texts a second of the engine that serves here, at the best of some batch sizes, tokenisation included."""
    engine = load_engine(get_settings())
    passages = [Passage(text) for text in texts]
    engine.score(passages[:TRIAL_TEXTS])
    engine.batch_size = max(BATCH_SIZES, key=lambda size: trial(engine, passages[:TRIAL_TEXTS], size))
    return rate(engine, passages)


def trial(engine: TextEngine, passages: Sequence[Passage], batch_size: int) -> float:
    """Texts a second at one batch size."""
    engine.batch_size = batch_size
    return rate(engine, passages)


def rate(engine: TextEngine, passages: Sequence[Passage]) -> float:
    """Texts a second of scoring these passages at once."""
    start = time.perf_counter()
    engine.score(passages)
    return len(passages) / (time.perf_counter() - start)


def transformers_rate(texts: Sequence[str]) -> float:
    """Texts a second of `transformers.pipeline(batch_size=32)` with the same encoder and a head of three classes."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    from models.text import hush_transformers

    hush_transformers()
    settings = get_settings()
    artifact = load_artifact(settings.model.dir or SHIPPED)
    folder = base_folder()
    labels = artifact.labels("sentiment")
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(labels), local_files_only=True)
    merged = {name: torch.from_numpy(value) for name, value in artifact.encoder_weights().items()}
    model.bert.load_state_dict(merged, strict=False)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    classify = pipeline("text-classification", model=model, tokenizer=tokenizer, batch_size=TRANSFORMERS_BATCH, device="cpu")
    rows = list(texts)
    classify(rows[:TRANSFORMERS_BATCH])
    start = time.perf_counter()
    classify(rows)
    return len(rows) / (time.perf_counter() - start)


def main() -> None:
    """Print both rates and their quotient as one JSON line."""
    from benchmarks.texts import headlines

    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=2_000)
    texts = [row["title"] for row in headlines(parser.parse_args().texts)]
    engine, transformers = engine_rate(texts), transformers_rate(texts)
    quotient = round(engine / transformers, 2)
    print(
        json.dumps(
            {"engine_per_s": round(engine), "transformers_per_s": round(transformers), "engine_over_transformers": quotient}
        )
    )


if __name__ == "__main__":
    main()
