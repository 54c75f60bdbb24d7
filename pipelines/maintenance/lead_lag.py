"""Whether the mood of a company has led its price, or its price the mood: Granger's question, company by company.

An answer says that one series has helped to foretell the other, beyond the other's own past. It never says why.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Direction = Literal["mood", "price"]
"""Which of both leads."""
DIRECTIONS: tuple[Direction, ...] = ("mood", "price")
MAX_LAG = 5
LEAST_SESSIONS, LEAST_LATER = 60, 30
LATER_SHARE = 0.4
"""The last part of the sessions, which only confirms."""


class Session(NamedTuple):
    """A session of a company: the market-adjusted log return to its close, and the mean tone of what came since the last."""

    close: datetime
    adjusted: float
    tone: float
    """P(positive) - P(negative), -1 to 1; NaN where no article came, which leaves out what would be told from it."""


class Finding(NamedTuple):
    """One company, direction and lag; `q` is p after Benjamini-Hochberg over all companies and lags of the direction."""

    company: str
    leads: Direction
    lag: int
    order: int
    """Lags of the follower's own past, chosen by BIC."""
    sessions: int
    coefficient: float
    p: float
    q: float
    first: datetime
    last: datetime
    later_sessions: int
    later_p: float | None
    """On the later sessions; None: too few of them, or it was not found before."""
    confirmed: bool
    """Found at the level, and again later, with the same sign."""


class _Test(NamedTuple):
    coefficient: float
    p: float
    sessions: int


def lead_lag(series: Mapping[str, Sequence[Session]], level: float = 0.05) -> list[Finding]:
    """Test all companies with enough sessions, at lags of 1 to 5 sessions, in both directions.

    The first sessions find, the later ones confirm: a company's first 60 % are tested with HAC errors (Newey-West), p-values are
    adjusted together, and what stays below `level` is tested again on the rest. For that, Bonferroni's level holds over all that
    was found in the direction. HAC errors are a little too sure of themselves in samples of a few hundred: what is found alone is
    a hint, what is seen again later is the answer.

    Args:
        series: sessions by company, ascending.
    """
    found = [one for leads in DIRECTIONS for one in _direction(series, leads, level)]
    return sorted(found, key=lambda one: (not one.confirmed, one.q, one.company, one.lag))


def _direction(series: Mapping[str, Sequence[Session]], leads: Direction, level: float) -> list[Finding]:
    tested: list[tuple[str, int, int, _Test, Sequence[Session], Sequence[Session]]] = []
    for company, sessions in sorted(series.items()):
        cut = round(len(sessions) * (1 - LATER_SHARE))
        # What the later part is told from must lie in it: the two share no session.
        early, later = sessions[:cut], sessions[cut:]
        order = _order(_columns(early, leads)[1])
        for lag in range(1, MAX_LAG + 1):
            test = _test(early, leads, lag, order, LEAST_SESSIONS)
            if test is not None:
                tested.append((company, lag, order, test, early, later))
    if not tested:
        return []
    from statsmodels.stats.multitest import multipletests

    adjusted = multipletests([test.p for _, _, _, test, _, _ in tested], method="fdr_bh")[1]
    hits = int(np.sum(adjusted <= level))
    findings = []
    for (company, lag, order, test, early, later), q in zip(tested, adjusted, strict=True):
        again = _test(later, leads, lag, order, LEAST_LATER) if q <= level else None
        same = again is not None and again.coefficient * test.coefficient > 0
        findings.append(
            Finding(
                company=company,
                leads=leads,
                lag=lag,
                order=order,
                sessions=test.sessions,
                coefficient=round(test.coefficient, 8),
                p=float(test.p),
                q=float(q),
                first=early[0].close,
                last=early[-1].close,
                later_sessions=0 if again is None else again.sessions,
                later_p=None if again is None else again.p,
                confirmed=same and again is not None and again.p <= level / hits,
            )
        )
    return findings


def _columns(sessions: Sequence[Session], leads: Direction) -> tuple[Floats, Floats]:
    """The leader's and the follower's series."""
    tone = np.array([one.tone for one in sessions], np.float64)
    price = np.array([one.adjusted for one in sessions], np.float64)
    return (tone, price) if leads == "mood" else (price, tone)


def _own_past(follower: Floats, order: int, start: int) -> Floats:
    """A constant and the lags 1 to `order` of the series, for its places from `start` on."""
    past = [follower[start - lag : len(follower) - lag] for lag in range(1, order + 1)]
    return np.column_stack([np.ones(len(follower) - start), *past])


def _order(follower: Floats) -> int:
    """Lags of its own past by which a series is told best, by BIC, all judged on the same places."""
    from statsmodels.regression.linear_model import OLS

    if len(follower) <= 4 * MAX_LAG:
        return 1
    whole = _own_past(follower, MAX_LAG, MAX_LAG)
    target = follower[MAX_LAG:]
    known = np.isfinite(whole).all(axis=1) & np.isfinite(target)
    if known.sum() <= 4 * MAX_LAG or np.ptp(target[known]) == 0:
        return 1
    return min(range(1, MAX_LAG + 1), key=lambda order: float(OLS(target[known], whole[known, : order + 1]).fit().bic))


def _test(sessions: Sequence[Session], leads: Direction, lag: int, order: int, least: int) -> _Test | None:
    from statsmodels.regression.linear_model import OLS

    leader, follower = _columns(sessions, leads)
    start = max(lag, order)
    if len(follower) <= start:
        return None
    told_from = np.column_stack([_own_past(follower, order, start), leader[start - lag : len(leader) - lag]])
    target = follower[start:]
    known = np.isfinite(told_from).all(axis=1) & np.isfinite(target)
    count = int(known.sum())
    if count < least or min(np.ptp(told_from[known][:, -1]), np.ptp(target[known])) == 0:
        return None
    bandwidth = int(4 * (count / 100) ** (2 / 9))
    errors = {"maxlags": bandwidth, "use_correction": True}
    fitted = OLS(target[known], told_from[known]).fit(cov_type="HAC", cov_kwds=errors, use_t=True)
    p = float(fitted.pvalues[-1])
    return _Test(float(fitted.params[-1]), p, count) if np.isfinite(p) else None


def words(one: Finding, name: str) -> str:
    """A finding as a sentence: what led what by how much, and how sure that is."""
    leader, follower = ("mood", "price") if one.leads == "mood" else ("price", "mood")
    way = "with the same sign" if one.coefficient > 0 else "with the opposite sign"
    span = f"{one.lag} session" + ("" if one.lag == 1 else "s")
    return f"{name}: {leader} has led {follower} by {span}, {way} (q {one.q:.2g}{'; seen again later' if one.confirmed else ''})"
