"""How likely a company's price is to fall less the market's, from what is known of it: on ONNX Runtime, without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from models.chart_image import SIZE, as_input, read_image
from models.drawing import PLAIN, draw_weeks
from models.engine_onnx import session
from models.fused_graph import build_drawn_graph, build_joint_graph, build_price_graph
from models.heads import DIGITS
from models.shares import shapley_shares
from models.windows import BARS, CHART_COLUMNS, FEATURES, MIN_CHART_BARS, price_window, volatilities, weekly

Array = np.ndarray[Any, Any]

MODALITIES = ("text", "price", "chart")
SUBSETS = 2 ** len(MODALITIES)
"""A subset's number has a bit for each modality that is shown, the text's the lowest."""
KEPT = 4096
"""So many encoded price windows and charts are kept."""
HIDDEN = np.float32(-1e9)


class Prices(NamedTuple):
    """What is known of a company's price at an instant.

    `tokens` (2, 128) of price and chart, zeros for what is absent; `present` says which is there; `base` is the logit of a fall
    by the volatilities alone, None where these are unknown.
    """

    tokens: Array
    present: tuple[bool, bool]
    base: float | None


class Item(NamedTuple):
    """One company at one instant: `texts` (days, width) are means of text vectors, `days` the slot of each (0: the oldest)."""

    texts: Array
    days: Sequence[int]
    prices: Prices


class Impact(NamedTuple):
    """P(a fall less the market's over the next day), rounded to 4 digits; the same for an item alone and in any batch.

    `shares` say how far each modality moved its logit (Shapley), None for one that is absent; they sum to the logit less that of
    an item of which nothing is known.
    """

    probability: float
    shares: dict[str, float | None]


class FusedScorer:
    """The fused model of one artifact; `version` names exactly these weights, `text_model` the one whose vectors it reads.

    Thread safe. Each item runs by itself in graphs of fixed shapes, so that no neighbour can change its result.
    """

    def __init__(self, version: str, manifest: Mapping[str, Any], tensors: Mapping[str, Array]) -> None:
        self.version = version
        self.manifest = manifest
        self.text_model: str = manifest["text_model"]
        self.slots: int = manifest["slots"]
        self._width = tensors["text.mean"].shape[0]
        self._empty = np.zeros((2, tensors["network.joint.place"].shape[1]), dtype=np.float32)
        self._volatility = {
            name: tensors[f"network.impact.{name}"].astype(np.float64) for name in ("mean", "std", "weight", "bias", "base_rate")
        }
        self._trusted = bool(tensors["network.impact.correction.trust"] != 0)
        """A correction that is trusted with nothing adds nothing, whatever it is; so it is not computed."""
        self._price = session(build_price_graph(tensors), threads=1)
        self._drawn = session(build_drawn_graph(tensors), threads=1)
        self._joint = session(build_joint_graph(tensors, self.slots), threads=1)
        self._price_token = lru_cache(KEPT)(self._encode_price)
        self._drawn_token = lru_cache(KEPT)(self._encode_weeks)
        self._hidden = lru_cache(None)(_hidden)

    def prices(self, values: Array, returns: Array) -> Prices:
        """Encode what bars tell of a company: price and chart are absent where there are too few.

        Args:
            values: daily bars as `windows.price_window` reads them, oldest first.
            returns: the market's mean return on these days, the last 60 at least.
        """
        window, levels = price_window(values, returns), volatilities(values, returns)
        tokens = self._empty.copy()
        if window is not None and self._trusted:
            tokens[0] = self._price_token(window.tobytes())
        drawn = len(values) >= MIN_CHART_BARS
        if drawn and self._trusted:
            tokens[1] = self._drawn_token(weekly(values[:, CHART_COLUMNS]).tobytes())
        return Prices(tokens, (window is not None, drawn), None if levels is None else self._base(levels))

    def chart(self, image: bytes) -> Prices:
        """Encode a chart as it was received, of a company of which no bars are known.

        Raises:
            ChartError: the image cannot be read.
        """
        shown, tokens = read_image(image)[None], self._empty.copy()
        if self._trusted:
            tokens[1] = self._token(self._drawn, "image", shown)
        return Prices(tokens, (False, True), None)

    @property
    def no_prices(self) -> Prices:
        """Of a company that has no bars."""
        return Prices(self._empty, (False, False), None)

    def impacts(self, items: Sequence[Item]) -> list[Impact]:
        """Judge items, each by itself."""
        logits = np.array([self._logits(item) for item in items]).reshape(len(items), SUBSETS)
        shares = shapley_shares(lambda shown: logits[:, _number(shown)], range(len(MODALITIES)))
        told = []
        for item, own, whole in zip(items, shares.T.tolist(), logits[:, -1].tolist(), strict=True):
            present = (len(item.texts) > 0, *item.prices.present)
            rounded = {
                name: round(share, DIGITS) if there else None for name, share, there in zip(MODALITIES, own, present, strict=True)
            }
            told.append(Impact(round(1 / (1 + math.exp(-whole)), DIGITS), rounded))
        return told

    def check(self) -> None:
        """Run every graph once; raises what they raise where the weights do not fit together."""
        self._encode_price(np.zeros((BARS, len(FEATURES)), dtype=np.float32).tobytes())
        self._token(self._drawn, "image", np.zeros((1, 3, SIZE, SIZE), dtype=np.uint8))
        item = Item(np.zeros((1, self._width), dtype=np.float32), (0,), self.no_prices)
        (told,) = self.impacts([item])
        if not np.isfinite([told.probability, *self._added(item)]).all():
            raise ValueError("its answer is not a number")

    def _logits(self, item: Item) -> Array:
        """Logits (8) of the item with each subset of its modalities shown, float64."""
        rate = float(self._volatility["base_rate"])
        known = rate if item.prices.base is None else item.prices.base
        base = np.where(np.arange(SUBSETS) & 2, known, rate)
        return base + self._added(item) if self._trusted else base

    def _added(self, item: Item) -> Array:
        """What the network adds to each of these logits (8), float64."""
        there = len(item.texts) > 0
        texts = item.texts if there else np.zeros((1, self._width), dtype=np.float32)
        days = np.array(item.days if there else (0,), dtype=np.int64)
        hidden = self._hidden(len(days), (there, *item.prices.present))
        added = self._joint.run(["added"], {"texts": texts, "days": days, "market": item.prices.tokens, "hidden": hidden})[0]
        return np.asarray(added[:, 0], dtype=np.float64)

    def _base(self, levels: Array) -> float:
        own = self._volatility
        return float(((levels - own["mean"]) / own["std"] * own["weight"]).sum() + own["bias"])

    def _encode_price(self, window: bytes) -> Array:
        return self._token(self._price, "window", np.frombuffer(window, dtype=np.float32).reshape(1, BARS, len(FEATURES)))

    def _encode_weeks(self, weeks: bytes) -> Array:
        drawn = draw_weeks(np.frombuffer(weeks, dtype=np.float64).reshape(-1, len(CHART_COLUMNS)), PLAIN)
        return self._token(self._drawn, "image", as_input(drawn)[None])

    @staticmethod
    def _token(graph: Any, name: str, value: Array) -> Array:
        return np.asarray(graph.run(["token"], {name: value})[0][0])


def _number(shown: frozenset[int]) -> int:
    return sum(1 << modality for modality in shown)


def _hidden(days: int, present: tuple[bool, ...]) -> Array:
    """What `models.fused_graph.build_joint_graph` adds to the attention, for each subset (8, days + 5)."""
    rows = []
    for subset in range(SUBSETS):
        text, price, chart = (there and bool(subset >> place & 1) for place, there in enumerate(present))
        rows.append([*[text] * days, price, chart, not text, not price, not chart])
    return np.where(rows, np.float32(0), HIDDEN)
