"""How a network in training judges the rows that are held out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.metrics import accuracy_score, f1_score

from models.engine_torch import computes_in_bf16
from models.passages import PassageEncoder, Tokens
from models.text import TextNetwork, collate
from pipelines.training.datasets import Row
from pipelines.training.marking import marked_passage


def half_precision(device: torch.device) -> torch.autocast:
    """A context that computes in bfloat16 where that is fast: on CUDA, and on CPUs with instructions for it."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=computes_in_bf16(device))


def logits_of(
    network: TextNetwork, passages: Sequence[Tokens], device: torch.device
) -> Iterator[tuple[list[int], np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Yield (row numbers, sentiment logits, topic logits) of length-sorted batches."""
    network.eval()
    batch_size = 64 if device.type == "cpu" else 256
    order = sorted(range(len(passages)), key=lambda i: len(passages[i].ids))
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        batch = {k: v.to(device) for k, v in collate([passages[i] for i in chosen]).items()}
        with torch.inference_mode(), half_precision(device):
            sentiment, topic = network(**batch)
        yield chosen, sentiment.float().cpu().numpy(), topic.float().cpu().numpy()


def held_out_figures(network: TextNetwork, encode: PassageEncoder, rows: Sequence[Row], device: torch.device) -> dict[str, float]:
    """Accuracy of tweets' sentiment and topic, and macro-F1 of named entities' sentiment, on the held-out rows.

    Headlines whose entities disagree have a figure of their own, too.
    """
    guesses = np.zeros(len(rows), dtype=np.int64)
    for chosen, sentiment, topic in logits_of(network, encode([marked_passage(row) for row in rows]), device):
        for place, i in enumerate(chosen):
            guesses[i] = (sentiment if rows[i].task == "sentiment" else topic)[place].argmax()
    judged = {
        source: [i for i, row in enumerate(rows) if row.source == source] for source in dict.fromkeys(r.source for r in rows)
    }
    if disagreeing := [i for i, row in enumerate(rows) if row.disagreeing]:
        judged["sentfin_disagreeing"] = disagreeing
    figures = {}
    for name, chosen in judged.items():
        truth, guess = [rows[i].label for i in chosen], guesses[chosen]
        macro = name.startswith("sentfin")
        figures[name] = float(f1_score(truth, guess, average="macro") if macro else accuracy_score(truth, guess))
    return figures
