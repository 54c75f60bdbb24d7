"""A Markdown page of results: each part stands between two marks, and is replaced by the command that prints it."""

from __future__ import annotations

from pathlib import Path


def write_part(page: Path, name: str, title: str, report: str) -> None:
    """Put a report between the marks of the part `name`; where they are not there, they are added at the end, below `title`."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = page.read_text() if page.is_file() else "# Results\n"
    if begin not in text:
        text = f"{text.rstrip()}\n\n## {title}\n\n{begin}\n{end}\n"
    before, rest = text.split(begin, 1)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(f"{before}{begin}\n{report}\n{end}{rest.split(end, 1)[1]}")
