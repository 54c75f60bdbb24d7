"""Companies and weights as people type, paste or upload them. Pure."""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

NAMES = ("company", "name", "ticker", "symbol", "security", "holding", "issuer", "id")
WEIGHTS = ("weight", "weight %", "% weight", "allocation", "share", "market value", "value", "quantity", "shares")
MOST = 5_000


@dataclass
class Holdings:
    """What was understood: weights by company id. `unknown`: what was not, each with its line."""

    weights: dict[str, float] = field(default_factory=dict)
    unknown: list[tuple[int, str]] = field(default_factory=list)


def read_holdings(text: str, known: Mapping[str, str]) -> Holdings:
    """Read one company a line, or a CSV with a header that names them.

    Args:
        text: `Apple`, `AAPL, 2.5`, or CSV (commas, semicolons or tabs) with a header such as `ticker,weight`. A line without a
            weight weighs 1; a company that comes twice weighs the sum.
        known: id by lower-case name, ticker and id.
    """
    found = Holdings()
    lines = text.replace("\0", "").splitlines()[: MOST + 1]
    first = next((line for line in lines if line.strip()), "")
    separator = max(";\t,", key=first.count)
    rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=separator))
    header = next((row for row in rows if any(cell.strip() for cell in row)), [])
    named = [cell.strip().strip("\ufeff").lower() for cell in header]
    columns = [index for index, name in enumerate(named) if name in NAMES]
    weighed = next((index for wish in WEIGHTS for index, name in enumerate(named) if name == wish), None)
    started = not columns
    for number, row in enumerate(rows, 1):
        if not any(cell.strip() for cell in row):
            continue
        if not started:
            started = True
            continue
        _take(found, number, row, columns, weighed, known)
    return found


def _take(
    found: Holdings, number: int, row: list[str], columns: list[int], weighed: int | None, known: Mapping[str, str]
) -> None:
    cells = [cell.strip() for cell in row]
    if columns:
        names = [cells[index] for index in columns if index < len(cells) and cells[index]]
        weight = _number(cells[weighed]) if weighed is not None and weighed < len(cells) else 1.0
    else:
        numbers = [_number(cell) for cell in cells[1:]]
        weight = next((one for one in numbers if one is not None), 1.0)
        names = [cell for cell in cells if cell and (cell is cells[0] or _number(cell) is None)]
        names = [", ".join(names), *names]
    key = next((known[name.lower()] for name in names if name.lower() in known), None)
    if key is None:
        found.unknown.append((number, " ".join(cells)[:80]))
    elif weight is None or weight <= 0:
        found.unknown.append((number, f"{names[0][:60]}: a weight above 0 is needed"))
    else:
        found.weights[key] = found.weights.get(key, 0.0) + weight


def _number(text: str) -> float | None:
    """A number with thousands, a percent or a currency sign; `1.234,5` is read the German way."""
    bare = re.sub(r"[\s%$€£'’]", "", text)
    if re.fullmatch(r"-?\d{1,3}(\.\d{3})*,\d+", bare):
        bare = bare.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", bare):
        bare = bare.replace(",", "")
    try:
        value = float(bare)
    except ValueError:
        return None
    return value if abs(value) < 1e15 else None
