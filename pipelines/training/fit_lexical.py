"""Fits the linear classifier over tokens and pairs that stands beside the topic head, and how much it counts there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.lexical import BUCKETS, TENSORS, buckets
from models.passages import Tokens

Array = np.ndarray[Any, Any]

INVERSE_REGULARISATION = 20.0
SHARES = np.linspace(0.0, 1.2, 13)
NEVER = -12.0
"""Bias of a class that no training row has."""


def fit_lexical(rows: Sequence[Tokens], labels: Sequence[int], classes: int) -> dict[str, Array]:
    """Multinomial logistic regression on the rows; float16 tensors as `models.lexical` reads them.

    A bucket's value is its rarity, ln((1 + rows) / (1 + rows that have it)) + 1, and a row's values have length one.
    """
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression

    found = [buckets(row) for row in rows]
    edges = np.cumsum([0, *(len(numbers) for numbers in found)])
    numbers = np.concatenate(found)
    rarity = np.log((1 + len(rows)) / (1 + np.bincount(numbers, minlength=BUCKETS))) + 1
    table = sparse.csr_matrix((rarity[numbers], numbers, edges), shape=(len(rows), BUCKETS))
    lengths = np.maximum(np.sqrt(np.asarray(table.multiply(table).sum(axis=1)).ravel()), 1e-6)
    table = sparse.diags(1 / lengths) @ table
    model = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=500).fit(table, np.asarray(labels))
    known, weight, bias = model.classes_, model.coef_, model.intercept_
    if len(known) == 2:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    whole = np.zeros((BUCKETS, classes), dtype=np.float32)
    whole[:, known] = weight.T
    biases = np.full(classes, NEVER, dtype=np.float32)
    biases[known] = bias
    return dict(zip(TENSORS, (rarity.astype(np.float16), whole.astype(np.float16), biases), strict=True))


def scaled(tensors: dict[str, Array], share: float) -> dict[str, Array]:
    """The classifier's tensors with its logits multiplied by `share`."""
    rarity, weight, bias = (tensors[name] for name in TENSORS)
    return dict(
        zip(TENSORS, (rarity, (weight.astype(np.float32) * share).astype(np.float16), bias * np.float32(share)), strict=True)
    )
