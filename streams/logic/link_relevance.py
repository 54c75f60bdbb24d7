"""How much an article is about each of the companies that it names: 0 to 100. Pure."""

import re
from bisect import bisect_left
from collections.abc import Mapping

from msgspec import Struct

from squall.companies import Company
from streams.logic.link_text import Segment

TITLE, LATE_TITLE, LEAD, BODY = 1.0, 0.8, 0.6, 0.3
"""What an occurrence is worth by its place."""
LATE_TITLE_AT, LEAD_ENDS = 60, 250
AGAIN = 0.15
HINT = 0.4
ANALYST = 0.35
ALONE, SHARED = 0.4, 0.6
FEW = 3
"""From more companies on the text is a list, and each counts for less."""

RATES = re.compile(
    r"(?:'s)? (?:\w+ )?(?:analysts?|raises|cuts|trims|lifts|upgrades|downgrades|initiates|reiterates|maintains|rates|resumes"
    r"|boosts|hikes|lowers|slashes|keeps|starts|sees|says|expects|adds|removes|names|calls)\b"
)
BEFORE_ANALYST = re.compile(
    r"\b(?:analysts? (?:at|from|with)|(?:downgrade|upgrade|cut|raise|rat)(?:d|ed|ing)? (?:\w+ ){0,3}(?:by|at)) $"
)


class Occurrence(Struct, frozen=True, order=True):
    """A company named in a segment (0 title, 1 body): `span` in the text, `start` and `end` in the normalised segment."""

    number: int
    span: tuple[int, int]
    company_id: str
    start: int
    end: int


def relevance(found: list[Occurrence], companies: Mapping[str, Company], segments: list[Segment]) -> dict[str, int]:
    """Relevance of each company: by place and number of its occurrences, its share among all, and its role."""
    occurrences: dict[str, list[Occurrence]] = {key: [] for key in companies}
    for one in found:
        occurrences[one.company_id].append(one)
    weights = {key: _evidence(mine) for key, mine in occurrences.items()}
    starts = sorted((one.number, one.start, one.company_id) for one in found)
    for key, mine in occurrences.items():
        may_rate = companies[key].sector == "financials" and mine and len(companies) > 1
        if may_rate and all(_rates(one, starts, segments[one.number].normal) for one in mine):
            weights[key] *= ANALYST
    total = sum(weights.values())
    crowd = min(1.0, FEW / len(companies)) if companies else 1.0
    return {
        key: max(1, round(100 * min(1.0, weight) * (ALONE + SHARED * weight / total) * crowd)) for key, weight in weights.items()
    }


def _evidence(mine: list[Occurrence]) -> float:
    if not mine:
        return HINT
    return max(_worth(one) for one in mine) + min(0.6, AGAIN * (len(mine) - 1))


def _worth(one: Occurrence) -> float:
    if one.number == 0:
        return TITLE if one.start < LATE_TITLE_AT else LATE_TITLE
    return LEAD if one.start < LEAD_ENDS else BODY


def _rates(one: Occurrence, starts: list[tuple[int, int, str]], normal: str) -> bool:
    """Whether the bank speaks of another company here: "Goldman cuts Tesla", "analysts at UBS".

    `starts` are segment, start and company of all occurrences, in order.
    """
    if BEFORE_ANALYST.search(normal[max(0, one.start - 40) : one.start]):
        return True
    soon = starts[bisect_left(starts, (one.number, one.end, "")) : bisect_left(starts, (one.number, one.end + 80, ""))]
    return any(key != one.company_id for _, _, key in soon) and RATES.match(normal, one.end) is not None
