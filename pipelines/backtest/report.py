"""What a backtest found, as figures: pure, from incidents and prices."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import fmean, median
from typing import Any, NamedTuple

from msgspec import Struct

from pipelines.backtest.prices import HORIZONS, Prices, interval_of_share

NOON = timedelta(hours=12)
DEFINITION = (
    "An alert of a company counts as followed where the company's price, less the mean move of all others, stood at a close "
    "{sigmas:g} or more standard deviations of its own below the last close known when the surge's first item came, up to the "
    "first close a day after the alert; as false where it did not. So a fall before the alert but after the first item counts "
    "too: an alert need not come in time to trade on. Bad news that the price shrugs off counts as false. Without enough "
    "prices, and for sectors, topics and the market, nothing is judged. By chance: the same of every session of the companies "
    "named, as if an item and its alert had come at noon UTC; surges that last longer have more time to be followed than that."
)


class Fired(NamedTuple):
    """An incident that fired."""

    id: str
    rule: str
    scope: str
    name: str
    company: str | None
    severity: str
    first_item: datetime
    fired: datetime
    summary: str


class Judged(Struct, frozen=True, kw_only=True):
    """An alert and what came of it. Moves are fractions; `fall` is in standard deviations, 0 or below."""

    id: str
    rule: str
    scope: str
    name: str
    severity: str
    first_item: datetime
    fired: datetime
    delay_minutes: float
    summary: str
    fall: float | None
    followed: bool | None
    """None: not judged."""
    after: dict[str, float | None]


class Tally(Struct, frozen=True, kw_only=True):
    """How the alerts of a rule, or of all, turned out."""

    alerts: int
    followed: int
    false: int
    unjudged: int


class Report(Struct, frozen=True, kw_only=True):
    """Figures of a backtest; `alerts` in order of their times."""

    first: datetime
    end: datetime
    sigmas: float
    definition: str
    alerts: tuple[Judged, ...]
    companies: int
    """Those that any article named in the stretch."""
    company_days: float
    followed: int
    false: int
    unjudged: int
    false_a_company_day: float
    false_a_day: float
    median_delay_minutes: float | None
    followed_share: float | None
    followed_interval: tuple[float, float]
    chance_share: float | None
    """Share of all company-sessions of the stretch that would count as followed, had there been an alert at noon UTC."""
    chance_sessions: int
    by_rule: dict[str, Tally]
    mean_after: dict[str, float | None]
    counted_after: dict[str, int]


def judge(one: Fired, prices: Prices, sigmas: float) -> Judged:
    """What came of an alert."""
    company = one.company if one.scope == f"company:{one.company}" else None
    fall = prices.fall(company, one.first_item, one.fired) if company else None
    after = {name: prices.move(company, one.fired, horizon) if company else None for name, horizon in HORIZONS.items()}
    return Judged(
        **{name: getattr(one, name) for name in ("id", "rule", "scope", "name", "severity", "first_item", "fired", "summary")},
        delay_minutes=round((one.fired - one.first_item).total_seconds() / 60, 2),
        fall=None if fall is None else round(fall, 3),
        followed=None if fall is None else fall <= -sigmas,
        after={name: None if move is None else round(move, 6) for name, move in after.items()},
    )


def report(fired: Sequence[Fired], prices: Prices, named: Sequence[str], first: datetime, end: datetime, sigmas: float) -> Report:
    """The figures of the stretch [first, end).

    Args:
        fired: alerts of any time; those of the stretch count.
        named: ids of the companies that articles of the stretch name.
    """
    chosen = sorted((one for one in fired if first <= one.fired < end), key=lambda one: (one.fired, one.scope, one.rule))
    alerts = tuple(judge(one, prices, sigmas) for one in chosen)
    days = (end - first) / timedelta(days=1)
    company_days = len(set(named)) * days
    whole = _tally(alerts)
    followed, false = whole.followed, whole.false
    chance = _chance(prices, named, first, end, sigmas)
    moves = {name: [move for one in alerts if (move := one.after[name]) is not None] for name in HORIZONS}
    return Report(
        first=first,
        end=end,
        sigmas=sigmas,
        definition=DEFINITION.format(sigmas=sigmas),
        alerts=alerts,
        companies=len(set(named)),
        company_days=round(company_days, 3),
        followed=followed,
        false=false,
        unjudged=whole.unjudged,
        false_a_company_day=round(false / company_days, 6) if company_days else 0.0,
        false_a_day=round(false / days, 4),
        median_delay_minutes=median(one.delay_minutes for one in alerts) if alerts else None,
        followed_share=round(followed / (followed + false), 4) if followed + false else None,
        followed_interval=interval_of_share(followed, followed + false),
        chance_share=round(fmean(chance), 4) if chance else None,
        chance_sessions=len(chance),
        by_rule={rule: _tally([one for one in alerts if one.rule == rule]) for rule in sorted({one.rule for one in alerts})},
        mean_after={name: round(fmean(found), 6) if found else None for name, found in moves.items()},
        counted_after={name: len(found) for name, found in moves.items()},
    )


def _tally(alerts: Sequence[Judged]) -> Tally:
    followed, false = (sum(one.followed is value for one in alerts) for value in (True, False))
    return Tally(alerts=len(alerts), followed=followed, false=false, unjudged=len(alerts) - followed - false)


def _chance(prices: Prices, named: Sequence[str], first: datetime, end: datetime, sigmas: float) -> list[bool]:
    noons = [at.replace(hour=0, minute=0, second=0) + NOON for at in prices.sessions if first <= at < end]
    priced = sorted(set(named).intersection(prices.companies))
    falls = (prices.fall(company, noon, noon) for company in priced for noon in sorted(set(noons)))
    return [fall <= -sigmas for fall in falls if fall is not None]


def plain(found: Report) -> dict[str, Any]:
    """As values that JSON has."""
    import msgspec

    values: dict[str, Any] = msgspec.to_builtins(found)
    return values
