"""What the fused model says of mentions, where the text model that scores them is the one whose vectors it reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import structlog
from sqlalchemy import Connection

from models.artifact import ArtifactError
from models.engine import Engine, TextEngine
from models.fused_artifact import SHIPPED, load_fused
from models.fused_scorer import FusedScorer, Impact, Item, Prices
from models.windows import BARS
from squall.records import MILLION, Mention
from squall.settings import ModelSettings
from streams.logic.bar_history import History, known_span
from streams.logic.features import Market
from streams.price_cache import PriceCache

Array = np.ndarray[Any, Any]

KEPT = 8192
"""So many companies at an instant are kept encoded."""
log = structlog.get_logger("squall.fused")


class Impacts:
    """The fused model of a worker. One that is damaged is refused, and texts are scored without it. Not thread safe."""

    def __init__(self, settings: ModelSettings) -> None:
        self._scorer: FusedScorer | None = None
        self._off = ""
        self._market: Market | None = None
        self._encoded: dict[tuple[str, int, int, int], Prices] = {}
        self._told: set[str] = set()
        if not settings.impact:
            self._off = "switched off"
            return
        try:
            scorer = load_fused(settings.fused_dir or SHIPPED)
        except ArtifactError as error:
            self._off = str(error)
            log.error("fused model refused", error=str(error))
            return
        if scorer.manifest["heads"]["impact"]:
            self._scorer = scorer
        else:
            self._off = f"{scorer.version} has not proved itself on impact"

    def standing(self, text_model: str) -> str:
        """What serves beside a text model, or why nothing does, in a line."""
        if self._scorer is None:
            return f"no impact: {self._off}"
        if self._scorer.text_model != text_model:
            return f"no impact: {self._scorer.version} goes with {self._scorer.text_model}, and {text_model} serves"
        return self._scorer.version

    def reads(self, model: Engine) -> TextEngine | None:
        """The text model, where the fused one reads its vectors; why it does not is logged once for each version."""
        if isinstance(model, TextEngine) and self._scorer is not None and model.version == self._scorer.text_model:
            return model
        if model.version not in self._told:
            self._told.add(model.version)
            log.info("texts are scored without impact", reason=self.standing(model.version))
        return None

    def histories(self, connection: Connection, cache: PriceCache, mentions: Collection[Mention]) -> Mapping[str, History]:
        """The bars of the mentions' companies."""
        companies = {mention.company_id for mention in mentions if mention.company_id}
        return cache.histories(connection, companies) if self._scorer is not None else {}

    def columns(
        self, asked: Sequence[tuple[Mention, Array | None]], market: Market, histories: Mapping[str, History]
    ) -> list[dict[str, Any]]:
        """The columns that hold what the fused model says of each mention; one that names no company has none.

        Args:
            asked: mentions and the vectors of their texts, each by itself.
        """
        scorer = self._scorer
        if scorer is None:
            return [{} for _ in asked]
        # A text stands in the slot of the last day of which training reads texts.
        days = (scorer.slots - 2,)
        items = {
            mention.id: Item(vector.reshape(1, -1), days, self._prices(scorer, mention, market, histories))
            for mention, vector in asked
            if mention.company_id and vector is not None
        }
        told = dict(zip(items, scorer.impacts(list(items.values())), strict=True))
        return [_columns(scorer.version, told[mention.id]) if mention.id in told else {} for mention, _ in asked]

    def _prices(self, scorer: FusedScorer, mention: Mention, market: Market, histories: Mapping[str, History]) -> Prices:
        own, at = histories.get(mention.company_id or ""), mention.event_time
        span = known_span(own, at) if own else None
        if own is None or span is None:
            return scorer.no_prices
        if market is not self._market or len(self._encoded) >= KEPT:
            self._market, self._encoded = market, {}
        begin, end = span
        key = mention.company_id or "", begin, end, market.moment(at)
        if key not in self._encoded:
            returns = market.mean_returns(own.starts[end - BARS : end], at)
            self._encoded[key] = scorer.prices(own.values[begin:end], returns)
        return self._encoded[key]


def _columns(version: str, impact: Impact) -> dict[str, Any]:
    shares = {name: None if share is None else round(share * MILLION) for name, share in impact.shares.items()}
    return {"impact": round(impact.probability * MILLION), "impact_model": version, "impact_shares": shares}
