"""What the alarm lines follow from: a budget of false incidents a day, and how far below its bound a line may stand. Pure."""

from typing import Literal, NamedTuple

from squall.scopes import Kind
from squall.settings import DetectionSettings

Family = Literal["companies", "wider"]
"""Scopes that share a budget: companies; and sectors, topics, the market and topics of companies."""
FAMILIES: tuple[Family, ...] = ("companies", "wider")
DETECTOR = 7
"""Version of the detector: of the layout of its state, and of what its surprises mean."""


class Line(NamedTuple):
    """The alarm line of a family."""

    budget: float
    """False incidents a day over the family."""
    calibration: float = 0.0
    """log10 of what the line is multiplied by that the bound for this budget gives."""


class Lines(NamedTuple):
    """The lines of all families."""

    companies: Line
    wider: Line

    def of(self, family: Family) -> Line:
        """The line of a family."""
        return self.companies if family == "companies" else self.wider


def family_of(kind: Kind) -> Family:
    """The family of a kind of scope."""
    return "companies" if kind == "company" else "wider"


def bounds(settings: DetectionSettings) -> Lines:
    """The lines before anything is measured; that of companies is moved where the settings say so."""
    return Lines(Line(settings.budget, settings.calibration or 0.0), Line(settings.wide_budget))


def detector_mark(settings: DetectionSettings) -> str:
    """What a calibration was measured with; it says nothing of a detector with another mark."""
    days = f"{settings.baseline_days}+{settings.guard_days} days"
    return f"v{DETECTOR}, {days}, caution {settings.caution:g}, {settings.exchange}"
