"""What the fused model says of mentions, where the text model that scores them is the one whose vectors it reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import structlog
from sqlalchemy import Connection

from models.artifact import ArtifactError
from models.chart_image import ChartError
from models.engine import Engine, TextEngine
from models.fused_artifact import SHIPPED, load_fused
from models.fused_scorer import FusedScorer, Impact, Item, Prices
from models.windows import BARS
from squall.records import MILLION, Mention
from squall.settings import ModelSettings
from streams.logic.bar_history import History, known_span
from streams.logic.features import Market
from streams.price_cache import PriceCache
from streams.received_charts import chart_images, newest_charts

Array = np.ndarray[Any, Any]

KEPT = 8192
"""So many companies at an instant are kept encoded."""
log = structlog.get_logger("squall.fused")


class Known(NamedTuple):
    """What is known of a batch's companies: their bars, and by mention the chart that came, where the bars do not suffice.

    `images` are those of the charts that have not been encoded yet.
    """

    histories: Mapping[str, History]
    charts: Mapping[str, str]
    images: Mapping[str, bytes]


NOTHING = Known({}, {}, {})


class Impacts:
    """The fused model of a worker. One that is damaged is refused, and texts are scored without it. Not thread safe."""

    def __init__(self, settings: ModelSettings) -> None:
        self._scorer: FusedScorer | None = None
        self._off = ""
        self._market: Market | None = None
        self._encoded: dict[tuple[str, int, int, int], Prices] = {}
        self._received: dict[str, Prices] = {}
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

    def known(self, connection: Connection, cache: PriceCache, mentions: Collection[Mention]) -> Known:
        """What the fused model is to read of the mentions' companies."""
        if self._scorer is None:
            return NOTHING
        named = [mention for mention in mentions if mention.company_id]
        histories = cache.histories(connection, {str(mention.company_id) for mention in named})
        charts = newest_charts(connection, [one for one in named if _span(one, histories) is None])
        if len(self._received) >= KEPT:
            self._received = {}
        return Known(histories, charts, chart_images(connection, set(charts.values()) - self._received.keys()))

    def columns(self, asked: Sequence[tuple[Mention, Array | None]], market: Market, known: Known) -> list[dict[str, Any]]:
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
            mention.id: Item(vector.reshape(1, -1), days, self._prices(scorer, mention, market, known))
            for mention, vector in asked
            if mention.company_id and vector is not None
        }
        told = dict(zip(items, scorer.impacts(list(items.values())), strict=True))
        return [_columns(scorer.version, told[mention.id]) if mention.id in told else {} for mention, _ in asked]

    def _prices(self, scorer: FusedScorer, mention: Mention, market: Market, known: Known) -> Prices:
        company, span = mention.company_id or "", _span(mention, known.histories)
        if span is None:
            return self._shown(scorer, known.charts[mention.id], known.images) if mention.id in known.charts else scorer.no_prices
        if market is not self._market or len(self._encoded) >= KEPT:
            self._market, self._encoded = market, {}
        begin, end = span
        own, at = known.histories[company], mention.event_time
        key = company, begin, end, market.moment(at)
        if key not in self._encoded:
            returns = market.mean_returns(own.starts[end - BARS : end], at)
            self._encoded[key] = scorer.prices(own.values[begin:end], returns)
        return self._encoded[key]

    def _shown(self, scorer: FusedScorer, chart: str, images: Mapping[str, bytes]) -> Prices:
        """What a received chart tells; nothing where it cannot be read."""
        if chart not in self._received:
            try:
                self._received[chart] = scorer.chart(images[chart])
            except ChartError as error:
                log.warning("a chart says nothing", chart=chart, reason=str(error))
                self._received[chart] = scorer.no_prices
        return self._received[chart]


def _span(mention: Mention, histories: Mapping[str, History]) -> tuple[int, int] | None:
    own = histories.get(mention.company_id or "")
    return known_span(own, mention.event_time) if own else None


def _columns(version: str, impact: Impact) -> dict[str, Any]:
    shares = {name: None if share is None else round(share * MILLION) for name, share in impact.shares.items()}
    return {"impact": round(impact.probability * MILLION), "impact_model": version, "impact_shares": shares}
