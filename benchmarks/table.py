"""What a benchmark found: a table for people, and one JSON line last."""

import json
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table


def show(result: Mapping[str, object], title: str) -> None:
    """Print the table on standard error, and the line on standard output."""
    table = Table("figure", "value", title=title)
    for name, value in result.items():
        table.add_row(name, str(value))
    Console(stderr=True).print(table)
    print(json.dumps(result))
