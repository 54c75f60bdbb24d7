"""Vectors of StockNet's tweets from the text model that serves, made once and kept in a file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from models.engine import TextEngine
from models.passages import Passage
from pipelines.training.datasets import CASHTAG
from pipelines.training.kept_rows import kept_rows
from pipelines.training.stocknet import StockNet

Array = np.ndarray[Any, Any]

NAMELESS = "the company"
OTHER = "another company"
NO_NAME = re.compile(
    r"^(the|inc|corp|corporation|company|companies|co|ltd|limited|plc|s\.?a|group|holdings?|and|of|american|general|first|n\.?v|l\.?p)$",
    re.IGNORECASE,
)


def passage_of(text: str, ticker: str) -> Passage:
    """The tweet with the company's first cashtag marked, and those of others."""
    found = re.search(rf"\${re.escape(ticker)}\b", text, re.IGNORECASE)
    span = found.span() if found else None
    return Passage(text, span, tuple(tag.span() for tag in CASHTAG.finditer(text) if tag.span() != span))


def masked_passage(text: str, ticker: str, name: str) -> Passage:
    """The tweet without names: the company (its cashtag, its ticker, the words of its name) and every other cashtag replaced."""
    words = [word for word in re.findall(r"[\w'&-]+", name) if len(word) > 2 and not NO_NAME.match(word)]
    own = "|".join([rf"[$#]?{re.escape(ticker)}\b", *(rf"[#@]?\b{re.escape(word)}(?:'s)?\b" for word in words)])
    text = re.sub(rf"(?:(?:{own})\s*)+", f"{NAMELESS} ", text, flags=re.IGNORECASE)
    text = CASHTAG.sub(OTHER, text)
    place = text.find(NAMELESS)
    others = tuple(found.span() for found in re.finditer(OTHER, text))
    return Passage(text, (place, place + len(NAMELESS)) if place >= 0 else None, others)


def text_vectors(
    data: StockNet, engine: TextEngine, folder: Path, masked: bool = False, report: Callable[[int, int], None] | None = None
) -> list[Array]:
    """For each company the vectors of its tweets, float16 (tweets, 2 x hidden): mean over the text, mean over the company.

    They are read from `folder` when they were made there before from the same texts by the same model. `report` is called with
    (done, all). An interrupted run goes on where it was.

    Raises:
        UserError: a file in the folder is damaged.
    """
    passages = [
        masked_passage(text, ticker, name) if masked else passage_of(text, ticker)
        for ticker, name, tweets in zip(data.tickers, data.names, data.tweets, strict=True)
        for text in tweets.texts
    ]
    shape = (2 * engine.hidden, np.float16)
    vectors = kept_rows(passages, engine.features, folder, f"texts-{engine.version}", shape, report)
    ends = np.cumsum([len(tweets.texts) for tweets in data.tweets])
    return np.split(vectors, ends[:-1])
