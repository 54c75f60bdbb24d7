"""MinHash sketches of texts: which two texts are near-repeats, and which are worth comparing. Pure.

A text is the set of its words and of its pairs of neighbouring words, so that one changed word of ten costs a quarter
of the similarity, and a template that is filled in otherwise falls under one half. Of this set 64 minima are kept,
from which the Jaccard similarity is estimated with a standard error of at most .0625. They are cut into 16 bands of
4, and two texts are compared where a band is equal: the chance of that is .64 at the default threshold of .5, .89 at
.6, .99 at .7, and .002 at .1, which keeps strangers apart. Candidates and estimate are functions of the two texts
alone, whichever came first.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 64
BANDS = 16
SHORT = 4
"""Texts of fewer words only match when they are equal."""
WORDS_AT_MOST = 1_000
"""What stands further back in a text does not count, which bounds the cost of a long one."""

Signatures = NDArray[np.uint32]
_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_MIX = np.uint64(0x9E3779B97F4A7C15)


def shingles(text: str) -> list[bytes]:
    """Words and pairs of words, lower case, without addresses and signs; of a short text one shingle, the whole."""
    found = _WORD.findall(_URL.sub(" ", text[: 40 * WORDS_AT_MOST]).lower())[:WORDS_AT_MOST]
    if len(found) < SHORT:
        return [("= " + (" ".join(found) or text)).encode()]
    pairs = (f"{one} {two}" for one, two in pairwise(found))
    return [word.encode() for word in (*found, *pairs)]


def signatures(texts: Sequence[str]) -> Signatures:
    """MinHash signatures, uint32 of shape (texts, 64)."""
    from datasketch import MinHash

    if not texts:
        return np.empty((0, PERMUTATIONS), np.uint32)
    sketches = MinHash.bulk(map(shingles, texts), num_perm=PERMUTATIONS, seed=1, scheme="affine32")
    return np.stack([sketch.hashvalues for sketch in sketches])


def bands(signatures: Signatures) -> NDArray[np.int64]:
    """Number and hash of each band in one positive integer, int64 of shape (texts, 16)."""
    parts = signatures.reshape(len(signatures), BANDS, PERMUTATIONS // BANDS).astype(np.uint64)
    mixed = np.zeros(parts.shape[:2], np.uint64)
    for column in range(parts.shape[2]):
        mixed = (mixed ^ parts[:, :, column]) * _MIX
        mixed ^= mixed >> np.uint64(29)
    numbers = np.arange(BANDS, dtype=np.uint64) << np.uint64(59)
    return (numbers | (mixed >> np.uint64(5))).astype(np.int64)


def similarities(one: Signatures, others: Signatures) -> NDArray[np.float64]:
    """Estimated Jaccard similarities of a signature, shape (64,), with others, shape (n, 64)."""
    return np.asarray((others == one).mean(axis=1))


def to_bytes(signature: Signatures) -> bytes:
    """A signature as it is stored: 64 little-endian integers of 4 bytes."""
    return signature.astype("<u4").tobytes()


def from_bytes(stored: bytes) -> Signatures:
    """A stored signature, shape (64,)."""
    return np.frombuffer(stored, "<u4").astype(np.uint32)
