"""`squall gate`: whether a new model may take the place of the one in service."""

import json
from pathlib import Path
from typing import Annotated

import typer

from squall.errors import SKIPPED
from squall.settings import get_settings


def gate(
    *,
    champion: Annotated[Path, typer.Option(help="folder of its predictions, by `squall evaluate text`", show_default=False)],
    challenger: Annotated[Path, typer.Option(help="folder of the new model's, on the same rows", show_default=False)],
    out: Annotated[Path, typer.Option(help="folder for gate.json and gate.html", show_default=False)],
    margin: Annotated[float, typer.Option(min=0, max=1, help="loss on a guarded slice that is borne")] = 0.02,
    limit: Annotated[float, typer.Option(min=0, max=1, help="loss seen on a guarded slice that refuses, proven or not")] = 0.05,
    keep: Annotated[bool, typer.Option("--keep", help="keep the verdict with the challenger, which must be registered")] = False,
    namespace: Annotated[str, typer.Option(help="with --keep: namespace of a replay; empty: live")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print the verdict as one line of JSON")] = False,
) -> None:
    """Judge a challenger beside the champion; it passes (0) or is refused (99), and a report says why.

    It passes if it is better on the sentiments of people's fair sample beyond a paired bootstrap interval, and on no guarded
    slice (sets, topics, sectors, long texts, negative recall) of at least 100 rows worse than borne. What is kept,
    `squall models report` tells again.
    """
    from pipelines.learning.gate import Terms, judge
    from pipelines.learning.gate_report import page
    from pipelines.training.evaluate_text import read_folders
    from squall.cli.reading import writing
    from squall.registry import keep_verdict

    before, after = read_folders([champion, challenger])
    verdict = judge(before, after, Terms(margin, limit))
    out.mkdir(parents=True, exist_ok=True)
    (out / "gate.html").write_text(page(verdict), encoding="utf-8")
    told = json.dumps(verdict.plain())
    (out / "gate.json").write_text(told + "\n", encoding="utf-8")
    if keep:
        with writing(get_settings().in_namespace(namespace)) as connection:
            keep_verdict(connection, verdict.plain())
    word = "passes" if verdict.promote else "is refused"
    print(told if as_json else f"{verdict.challenger} {word}:\n" + "\n".join(f"- {reason}" for reason in verdict.reasons))
    if not verdict.promote:
        raise typer.Exit(SKIPPED)
