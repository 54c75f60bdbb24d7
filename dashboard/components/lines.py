"""Where the alarm lines stand, in sentences."""

from collections.abc import Sequence
from typing import Any

from dash import html

from dashboard import formats
from dashboard.components import marks
from dashboard.components.panels import code, empty
from dashboard.components.tables import table
from squall.db.calibrations import Calibration, Standing

FAMILIES = {"companies": "Companies", "wider": "Sectors, topics, market"}


def lines_panel(rows: Sequence[Standing]) -> Any:
    """Of each family: on what its alarm line rests, and how many false incidents it lets expect."""
    if not rows:
        return empty("No minute has been decided yet.", "The alarm lines stand at their bounds until there is a history.")
    lines = [
        [
            html.Strong(FAMILIES[row.family]),
            f"{row.budget:g}",
            f"{row.measured.false_a_day:.2f}" if row.measured else formats.UNKNOWN,
            html.Span(_why(row)),
        ]
        for row in rows
    ]
    expected = (">Expected", "False incidents a day that shuffled history has at this line")
    return table(["", (">Budget", "False incidents a day, over the whole family"), expected, "Alarm line"], lines, "lines")


def _why(row: Standing) -> Any:
    if row.set_by_hand is not None:
        return [f"Set by hand: ×10^{row.set_by_hand:g} (", code("SQUALL_DETECTION__CALIBRATION"), ")"]
    if row.measured is None:
        return ["Not calibrated: warns very seldom. Run ", code("squall calibrate")]
    return _measured(row.measured)


def _measured(found: Calibration) -> Any:
    about = f"Calibrated on {formats.plural(found.judged_days, 'day')} up to "
    return [about, marks.moment(found.last, "day"), ", renewed ", marks.moment(found.computed_at, "wall"), " ago"]
