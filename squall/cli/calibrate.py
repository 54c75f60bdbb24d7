"""`squall calibrate`: where the alarm lines have to stand on this watch-list's own history, so that the budgets are met."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from squall.errors import SKIPPED, UserError
from squall.settings import DetectionSettings, get_settings

if TYPE_CHECKING:
    from squall.db.calibrations import Calibration
    from squall.settings import Settings
    from streams.logic.past import Past

CHUNK_ROWS = 20_000
SEED = 1


class ShortError(UserError):
    """The history is too short to say where a line has to stand; the message is one line for a person."""


def calibrate(
    *,
    days: Annotated[int, typer.Option(min=2, max=3650, help="days of history, those that baselines need included")] = 120,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print what was found, and store nothing")] = False,
    skip_short: Annotated[
        bool, typer.Option("--skip-short", help="exit 99 where the history is too short for any budget")
    ] = False,
    namespace: Annotated[str, typer.Option(help="namespace of a replay; empty: live")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one line of JSON, last")] = False,
) -> None:
    """Play the history with the days of each scope in another order, and let the alarm lines stand where that meets the budgets.

    Before that, a line is a bound that most streams stay far below: true surges are found later than they could be. What is found
    holds from the next minute on, until the next run; old decisions stay. The same history always gives the same answer. Where it
    is too short for a budget, the line stays where it is.
    """
    from squall.cli.reading import writing
    from squall.db.calibrations import add_calibrations

    settings = get_settings().in_namespace(namespace)
    try:
        found = _measure(settings, days)
    except ShortError as short:
        if not skip_short:
            raise
        typer.echo(short)
        raise typer.Exit(SKIPPED) from None
    for one in found:
        _say(one)
    since = None
    if dry_run:
        typer.echo("nothing was stored")
    else:
        with writing(settings) as connection:
            since = add_calibrations(connection, found)
        typer.echo(f"holds from {_text(since)} of event time on")
    by_hand = settings.detection.calibration
    if by_hand is not None:
        typer.echo(f"SQUALL_DETECTION__CALIBRATION={by_hand:g} is set, and goes before what was found of companies")
    if as_json:
        typer.echo(json.dumps({"since": since and since.isoformat(), "families": [_plain(one) for one in found]}))


def _measure(settings: "Settings", days: int) -> "list[Calibration]":
    """Where the lines have to stand, of the families whose history is long enough."""
    import numpy as np

    from squall.cli.reading import actor
    from squall.db.calibrations import Calibration
    from squall.lines import bounds, detector_mark
    from streams.logic.calibration import PERMUTATIONS, play_null

    detection = settings.detection
    history, first, end = _read(settings, days)
    found = []
    for family, null in play_null(history, detection, np.random.default_rng(SEED)).items():
        budget = bounds(detection).of(family).budget
        measured = null.measured(budget)
        if measured is None:
            typer.echo(f"{family}: {_too_short(detection, budget)}")
            continue
        found.append(
            Calibration(
                family=family,
                budget=budget,
                **measured._asdict(),
                first=first,
                last=end,
                judged_days=null.days // PERMUTATIONS,
                plays=PERMUTATIONS,
                detector=detector_mark(detection),
                author=actor(),
            )
        )
    if not found:
        raise ShortError(_too_short(detection, detection.budget))
    return found


def _read(settings: "Settings", days: int) -> "tuple[Past, datetime, datetime]":
    """What the last days brought, and from when to when that was."""
    from squall.cli.reading import reading
    from squall.db.minutes import NEVER, read_cursor
    from squall.db.rules import newest_rules
    from streams.detector_store import read_arrivals
    from streams.logic.past import Past
    from streams.watch import ALWAYS

    history = Past()
    with reading(settings) as connection:
        end = read_cursor(connection)
        if end == NEVER:
            raise ShortError("nothing has been decided yet: there is no history to calibrate on")
        rules = newest_rules(connection)
        kinds = {*ALWAYS, *(rules.rules.kinds if rules else ())}
        first = after = end.astimezone(UTC) - timedelta(days=days)
        while after < end:
            arrivals, after = read_arrivals(connection, kinds, after, end, CHUNK_ROWS)
            history.add(arrivals.items())
    return history, first, end


def _too_short(detection: DetectionSettings, budget: float) -> str:
    from streams.logic.calibration import days_needed

    needed, taught = days_needed(detection, budget)
    return (
        f"the history is too short for a budget of {budget:g} a day: "
        f"it takes {needed} days, of which {taught} only teach the baselines"
    )


def _say(one: "Calibration") -> None:
    plays = one.judged_days * one.plays
    typer.echo(
        f"{one.family}: the line moves by {one.value:+.2f} for a budget of {one.budget:g} a day: "
        f"{one.counted} incidents in {plays} judged days of permuted history up to {_text(one.last)}, "
        f"{one.false_a_day:.2f} a day ({one.allowed} were allowed)"
    )


def _plain(one: "Calibration") -> dict[str, Any]:
    said = {name: value for name, value in one._asdict().items() if name not in ("since", "computed_at")}
    return {**said, "first": one.first.isoformat(), "last": one.last.isoformat(), "false_a_day": round(one.false_a_day, 4)}


def _text(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
