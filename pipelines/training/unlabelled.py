"""Texts without a label for a model to learn another's answers from: tweets of StockNet that nothing is judged on."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from pipelines.training.datasets import Row, TextData
from pipelines.training.near_copies import near_pairs, token_set
from pipelines.training.stocknet import StockNet
from pipelines.training.stocknet_texts import passage_of

BEFORE = datetime(2015, 1, 1, tzinfo=UTC)
"""The fused model is judged on 2015, so the encoder learns from no text of that year."""
SOURCE = "stocknet"


def unlabelled(data: TextData, stock: StockNet, most: int) -> list[Row]:
    """At most so many tweets, chosen by a hash.

    They name the company by its cashtag, and none is a (near) copy of an evaluation row, of a held-out row or, but for words
    and order, of another.
    """
    tweets: dict[frozenset[str], Row] = {}
    for ticker, own in zip(stock.tickers, stock.tweets, strict=True):
        for at, text in zip(own.times.tolist(), own.texts, strict=True):
            _, span, others = passage_of(text, ticker)
            if span is not None and at < BEFORE.timestamp():
                row = Row(SOURCE, f"{ticker}-{at}", text, None, -1, (span,), 0.5, others=others)
                tweets.setdefault(token_set(text), row)
    rows = sorted(tweets.values(), key=lambda row: hashlib.sha256(row.text.encode()).digest())
    judged = {row.text: None for part in (*data.evaluation.values(), data.held_out) for row in part}
    leaking = {i for i, _ in near_pairs([row.text for row in rows], list(judged))}
    return [row for i, row in enumerate(rows) if i not in leaking][:most]
