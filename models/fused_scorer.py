"""What is said of a company at an instant: sentiment and topic of each text, impact and direction of all that is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from models.alignment import MODALITIES
from models.engine import TextEngine, TextScore
from models.fused_artifact import FusedArtifact
from models.fusion import FusedInputs
from models.heads import DIGITS
from models.passages import Passage
from models.shares import shapley_shares
from models.windows import VOLATILITIES

Array = np.ndarray[Any, Any]


class Known(NamedTuple):
    """What is known of a company at an instant.

    `passages` with the day of each in `slots` (0 is five days ago, 5 the day itself), oldest first; `window` and `volatilities`
    as the functions of `windows` give them; `image` as `chart_image.read_image` gives it. Anything may be missing.
    """

    passages: Sequence[Passage] = ()
    slots: Sequence[int] = ()
    window: Array | None = None
    volatilities: Array | None = None
    image: Array | None = None


class FusedScore(NamedTuple):
    """`texts` are the text model's scores, whatever else is known.

    `impact` is P(a fall less the market's over the next day) and `direction` P(up), None where the head is off. `shares` say how
    far text, price and chart moved the impact's logit; they sum to its logit less that of an item of which nothing is known.
    """

    texts: list[TextScore]
    impact: float | None
    direction: float | None
    shares: dict[str, float]
    present: dict[str, bool]


class FusedScorer:
    """The text model and the fused model on the CPU."""

    def __init__(self, text: TextEngine, artifact: FusedArtifact) -> None:
        self.text, self.artifact = text, artifact

    def score(self, known: Known) -> FusedScore:
        """Score what is known of one company at one instant."""
        features = self.text.features(known.passages)
        inputs = self._inputs(known, features.reshape(len(features), features.shape[1] * features.shape[2]))
        slots = self.artifact.network.slots
        logits: dict[frozenset[int], tuple[float, float]] = {}

        def impact(shown: frozenset[int]) -> Array:
            keep = torch.tensor([0 in shown] * slots + [1 in shown, 2 in shown])
            with torch.inference_mode():
                out = self.artifact.network(inputs._replace(mask=inputs.mask & keep))
            logits[shown] = float(out.impact[0]), float(out.direction[0])
            return np.array(logits[shown][0])

        shares = shapley_shares(impact, range(len(MODALITIES)))
        fall, up = logits[frozenset(range(len(MODALITIES)))]
        heads = self.artifact.manifest["heads"]
        present = [bool(inputs.mask[0, :slots].any()), *(bool(there) for there in inputs.mask[0, slots:])]
        return FusedScore(
            self.text.judge(known.passages, features),
            _probability(fall) if heads["impact"] else None,
            _probability(up) if heads["direction"] else None,
            {name: round(float(share), DIGITS) for name, share in zip(MODALITIES, shares, strict=True)},
            dict(zip(MODALITIES, present, strict=True)),
        )

    def _inputs(self, known: Known, vectors: Array) -> FusedInputs:
        network = self.artifact.network
        reduced = self.artifact.reduction(vectors)
        days = np.zeros((network.slots, reduced.shape[1]), dtype=np.float32)
        counts = np.bincount(np.asarray(known.slots, dtype=np.int64), minlength=network.slots)
        np.add.at(days, np.asarray(known.slots, dtype=np.int64), reduced)
        days /= np.maximum(counts, 1)[:, None].astype(np.float32)
        price, chart = self.artifact.price, self.artifact.chart
        empty = {m: torch.zeros(1, len(network.get_buffer(f"mean_{m}"))) for m in (1, 2)}
        mask = [*(counts > 0).tolist(), known.window is not None, known.image is not None]
        levels = np.full(len(VOLATILITIES), np.nan) if known.volatilities is None else known.volatilities
        with torch.inference_mode():
            return FusedInputs(
                torch.from_numpy(days).unsqueeze(0),
                empty[1] if known.window is None else price(torch.from_numpy(known.window).unsqueeze(0)),
                empty[2] if known.image is None else chart(torch.from_numpy(known.image).unsqueeze(0)),
                torch.tensor([mask]),
                torch.from_numpy(levels).float().unsqueeze(0),
            )


def _probability(logit: float) -> float:
    return round(float(1 / (1 + np.exp(-logit))), DIGITS)
