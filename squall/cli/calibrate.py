"""`squall calibrate`: where the alarm line has to stand on this watch-list's own history, so that the budget is met."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from squall.errors import UserError
from squall.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from squall.scopes import Kind
    from streams.logic.detection import Arrival

CHUNK_ROWS = 20_000
SEED = 1


def calibrate(
    *,
    days: Annotated[int, typer.Option(min=2, max=3650, help="days of history, those that baselines need included")] = 90,
    namespace: Annotated[str, typer.Option(help="namespace of a replay; empty: live")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one line of JSON, last")] = False,
) -> None:
    """Play the history with the days of each company in another order, and say which calibration meets the budget.

    Before that, the line is a bound that most streams stay far below: true surges are found later than they could be. The
    setting that is printed holds from the next start of the workers on. The same history always gives the same answer.
    """
    from math import ceil

    import numpy as np

    from squall.acts import decided_until
    from squall.cli.reading import reading
    from streams.detector_store import read_arrivals
    from streams.logic.calibration import LEAST_FALSE, play_null

    settings = get_settings().in_namespace(namespace)
    history: list[tuple[int, Mapping[str, Arrival]]] = []
    companies: tuple[Kind, ...] = ("company",)
    with reading(settings) as connection:
        end = decided_until(connection)
        if end is None:
            raise UserError("nothing has been decided yet: there is no history to calibrate on")
        after = end.astimezone(UTC) - timedelta(days=days)
        while after < end:
            arrivals, after = read_arrivals(connection, companies, after, end, CHUNK_ROWS)
            history += arrivals.items()
    null = play_null(history, settings.detection, np.random.default_rng(SEED))
    found = null.calibration(settings.detection.budget)
    if found is None:
        taught, budget = settings.detection.baseline_days + settings.detection.guard_days + 1, settings.detection.budget
        raise UserError(
            f"the history is too short for a budget of {budget:g} a day: "
            f"it takes {taught + ceil(LEAST_FALSE / budget)} days, of which {taught} only teach the baselines"
        )
    typer.echo(f"{null.days} judged days of permuted history up to {_text(end)}: the line of companies moves by {found:+.2f}")
    typer.echo(f"SQUALL_DETECTION__CALIBRATION={found:g}")
    if as_json:
        said = {"calibration": found, "judged_days": null.days, "budget": settings.detection.budget, "until": end.isoformat()}
        typer.echo(json.dumps(said))


def _text(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
