"""The linear classifier over tokens and pairs: what it reads, and that it learns what it is shown."""

import numpy as np

from models.lexical import BUCKETS, VOCABULARY, LexicalHead, buckets
from models.passages import Tokens
from pipelines.training.fit_lexical import NEVER, fit_lexical, scaled

CLS, SEP = 101, 102


def row(*ids: int, marks: tuple[int, ...] = ()) -> Tokens:
    return Tokens([CLS, *ids, SEP], [0, *(marks or [0] * len(ids)), 0], [0, *(marks or [0] * len(ids)), 0])


def test_tokens_and_pairs_count_once_and_marks_not_at_all() -> None:
    numbers = buckets(row(7, 8, 7, 8))
    assert set(numbers[numbers < VOCABULARY]) == {7, 8}
    assert len(numbers[numbers >= VOCABULARY]) == 4
    assert numbers.max() < BUCKETS
    assert (buckets(row(7, 8)) == buckets(row(7, 8, marks=(1, 1)))).all()
    assert len(buckets(row())) == 1


def test_it_learns_words_and_their_order_and_says_the_same_alone() -> None:
    rows = [row(5, 6, n) for n in range(200, 240)] + [row(6, 5, n) for n in range(200, 240)]
    rows += [row(9, n) for n in range(200, 240)]
    labels = [0] * 40 + [1] * 40 + [3] * 40
    tensors = fit_lexical(rows, labels, classes=4)
    head = LexicalHead(tensors)
    logits = head.logits(rows)
    assert (logits.argmax(axis=1) == np.array(labels)).all()
    assert (logits[:, 2] <= NEVER).all()
    assert (np.concatenate([head.logits([one]) for one in rows]) == logits).all()
    assert np.allclose(LexicalHead(scaled(tensors, 0.5)).logits(rows), logits / 2, atol=0.02)


def test_two_classes_are_two_sides_of_one() -> None:
    rows, labels = [row(5, n) for n in range(9)] + [row(6, n) for n in range(9)], [1] * 9 + [0] * 9
    assert (LexicalHead(fit_lexical(rows, labels, 2)).logits(rows).argmax(axis=1) == np.array(labels)).all()
