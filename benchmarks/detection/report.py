"""Tables for people, the JSON for machines, and the generated part of `docs/detection.md`."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.detection.bench import Result, mean_over_seeds

BEGIN, END = "<!-- printed by make bench-detection -->", "<!-- end of what was printed -->"
HEADER = (
    "detector",
    "recall",
    "median delay, min",
    "of those found",
    "false a day",
    "with the tuning data's line",
    "raw a day",
    "NAB",
    "tuned",
)

LESS_HEADER = ("Squall less", "recall", "median delay, min")

Figures = dict[str, Any]


def figures(result: Result) -> Figures:
    """A detector's figures at one rate; `…_ci` are half widths of 95 % intervals over the seeds."""
    recalls, delays = [seed.outcome.recall for seed in result.seeds], [seed.outcome.median_delay for seed in result.seeds]
    recall, delay = mean_over_seeds(recalls), mean_over_seeds(delays)
    nab, false = result.mean(lambda seed: seed.outcome.nab), result.mean(lambda seed: seed.false_a_day)
    found = np.concatenate(result.delays)
    found = found[np.isfinite(found)]
    return {
        "nab_score": _round(nab[0], 2),
        "nab_score_ci": _round(nab[1], 2),
        "recall_at_rate": _round(recall[0], 4),
        "recall_ci": _round(recall[1], 4),
        "median_delay_minutes": _round(delay[0], 1),
        "median_delay_ci": _round(delay[1], 1),
        "median_delay_of_found": _round(float(np.median(found)), 1) if len(found) else None,
        "false_a_day": _round(false[0], 3),
        "false_ci": _round(false[1], 3),
        "carried_false_a_day": _round(result.mean(lambda seed: seed.carried_false_a_day)[0], 3),
        "raw_a_day": _round(result.raw_a_day, 3),
        "recall_by_seed": recalls,
        "median_delay_by_seed": delays,
        "tuned": dict(result.config),
    }


def less(ours: Figures, rival: Figures) -> Figures:
    """What ours has beyond a rival, seed by seed on the same bursts: means, and half widths of 95 % intervals over the seeds."""
    recall, delay = (
        mean_over_seeds([mine - its for mine, its in zip(ours[name], rival[name], strict=True)])
        for name in ("recall_by_seed", "median_delay_by_seed")
    )
    return {
        "recall": _round(recall[0], 4),
        "recall_ci": _round(recall[1], 4),
        "median_delay_minutes": _round(delay[0], 1),
        "median_delay_ci": _round(delay[1], 1),
    }


def less_rows(found: Mapping[str, Figures]) -> list[tuple[str, ...]]:
    """Rows of `less`, the rival with the best recall first."""
    ordered = sorted(found.items(), key=lambda item: item[1]["recall"] or 0)
    return [
        (
            name,
            _pm(one["recall"], one["recall_ci"], 3, sign="+"),
            _pm(one["median_delay_minutes"], one["median_delay_ci"], 1, sign="+"),
        )
        for name, one in ordered
    ]


def _round(value: float, digits: int) -> float | None:
    return round(float(value), digits) if math.isfinite(value) else None


def rows(found: Mapping[str, Figures]) -> list[tuple[str, ...]]:
    """A table's rows, the best recall first."""
    ordered = sorted(found.items(), key=lambda item: -(item[1]["recall_at_rate"] or 0))
    return [
        (
            name,
            _pm(one["recall_at_rate"], one["recall_ci"], 3),
            _pm(one["median_delay_minutes"], one["median_delay_ci"], 1),
            _text(one["median_delay_of_found"], 1),
            _pm(one["false_a_day"], one["false_ci"], 2),
            _text(one["carried_false_a_day"], 2),
            _text(one["raw_a_day"], 2),
            _pm(one["nab_score"], one["nab_score_ci"], 1),
            ", ".join(f"{key} {value}" for key, value in one["tuned"].items() if key != "seed") or "–",
        )
        for name, one in ordered
    ]


def _text(value: float | None, digits: int, sign: str = "") -> str:
    return "–" if value is None else f"{value:{sign}.{digits}f}"


def _pm(value: float | None, half: float | None, digits: int, sign: str = "") -> str:
    return _text(value, digits, sign) + ("" if half is None else f" ± {half:.{digits}f}")


def show(console: Console, title: str, header: Sequence[str], body: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    table = Table(*header, title=title)
    for row in body:
        table.add_row(*row)
    console.print(table)


def markdown(title: str, header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """The same table in Markdown."""
    lines = [f"**{title}**", "", "| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in body), ""])


def write(path: Path, result: Mapping[str, Any], parts: Sequence[str]) -> None:
    """Write the JSON, and put the tables between the marks of the Markdown file of the same name."""
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    page = path.with_suffix(".md")
    if page.is_file():
        text = page.read_text(encoding="utf-8")
        middle = f"{BEGIN}\n\n" + "\n".join(parts) + f"\n{END}"
        page.write_text(re.sub(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: middle, text, flags=re.S), encoding="utf-8")
