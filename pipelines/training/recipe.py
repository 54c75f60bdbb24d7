"""What decides the outcome of a run of the text model, and what runs of different kinds differ in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the outcome of a run besides the data."""

    epochs: int = 4
    seed: int = 1
    base: str = ""
    """Name of the base encoder where it is not the package's."""
    rank: int = 32
    """Of the low-rank changes to it."""
    learning_rate: float = 6e-4
    batch_size: int = 32
    label_smoothing: float = 0.05
    weight_decay: float = 0.01
    warmup: float = 0.05
    max_tokens: int = 96
    clip: float = 1.0
    start: str = ""
    """Version of the model whose weights the run begins with, and whose answers it learns if it has no other teacher."""
    teacher: str = ""
    """Version of the model whose answers stand in where a row has no label; of several, joined by +, their mean does."""
    taught: float = 0.5
    """Weight of such an answer beside a label."""
    kept: float = 0.0
    """Share of that answer in the target of a row that has a label, but from no person: distillation (Hinton et al.,
    "Distilling the Knowledge in a Neural Network", 2015), which also leaves as it is what is not corrected (Li and Hoiem,
    "Learning without Forgetting", 2016)."""
    blend: float = 1.0
    """How far the weights go from those that the run began with to those that were learnt: their average keeps more of both than
    either (Wortsman et al., "Robust fine-tuning of zero-shot models", 2022)."""
    base_rows: int = 0
    """Rows to learn from at most besides those that people labelled; 0: all."""
    repeated: int = 1
    """How often each row that people labelled is learnt in an epoch."""
    thinned: float = 0.0
    """Greatest share of the words around its company that a row which people labelled is read without, drawn anew each time: what
    is learnt is then the phrase, and not the sentence around it (Wei and Zou, "EDA: Easy Data Augmentation Techniques", 2019)."""
    thinned_others: float = 0.0
    """Probability that another row is read so, too, for what the model that the run began with says of the words that are left:
    texts that it did not learn hold it where it is unsure."""
    unlabelled: int = 0
    """Texts without a label to learn the teacher's answers on, at most."""
    average: float = 0.0
    """Share of the weights' running average that a step keeps. The average is judged and exported; 0: the weights themselves."""
    swap: bool = False
    """Learn headlines whose companies disagree with these in each other's place, too."""
    vary: float = 0.0
    """Probability that a row is read with other tickers and amounts."""


CONTINUED: dict[str, Any] = {
    "learning_rate": 3e-4,
    "kept": 1.0,
    "blend": 1.0,
    "epochs": 1,
    "base_rows": 12_000,
    "repeated": 8,
    "thinned": 0.6,
    "thinned_others": 0.5,
}
"""What a run that goes on from a model differs in from one that begins afresh; chosen by `python -m benchmarks.relearn --dev`."""

TEACHER: dict[str, Any] = {"learning_rate": 4e-4, "epochs": 4, "rank": 16, "batch_size": 64, "average": 0.998, "swap": True}
"""What a run on a base-sized encoder differs in."""

DISTILLED: dict[str, Any] = {
    "epochs": 25,
    "learning_rate": 1e-3,
    "rank": 64,
    "batch_size": 128,
    "average": 0.999,
    "label_smoothing": 0.02,
    "kept": 0.8,
    "taught": 1.0,
    "unlabelled": 40_000,
    "swap": True,
    "vary": 0.2,
}
"""What a run with a teacher differs in: it is mostly the teacher's answers that it learns, on as many texts as there are."""

TAUGHT_TEACHER: dict[str, Any] = DISTILLED | TEACHER | {"epochs": 10, "learning_rate": 5e-4, "kept": 0.6}
"""What a run on a base-sized encoder differs in that has teachers of its own size."""
