"""How far a head's correction is trusted: as dev bears out, and not at all within noise."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

TRUSTS = (0.25, 0.5, 1.0)


def choose_trust(base: Array, corrected: Array, truth: Array, days: Array) -> float:
    """The share of a correction to keep, by what is gained on dev rows.

    `base` and `corrected` are logits without and with it (rows), `truth` is 1, 0, or nan for no label. Of TRUSTS that with the
    best log likelihood is taken if its gain over none, as a mean over days, exceeds its standard error; else 0 (the
    one-standard-error rule; Breiman et al. 1984).
    """
    judged = ~np.isnan(truth)
    base, corrected, truth = base[judged].astype(np.float64), corrected[judged].astype(np.float64), truth[judged]
    unique, places = np.unique(days[judged], return_inverse=True)
    if len(unique) < 2:
        return 0.0
    without = _losses(base, truth)
    gains = {trust: without - _losses(base + trust * (corrected - base), truth) for trust in TRUSTS}
    best = max(TRUSTS, key=lambda trust: float(gains[trust].mean()))
    daily = np.bincount(places, gains[best]) / np.bincount(places)
    return best if daily.mean() > daily.std(ddof=1) / np.sqrt(len(daily)) else 0.0


def _losses(logits: Array, truth: Array) -> Array:
    return np.asarray(np.logaddexp(0, logits) - truth * logits)
