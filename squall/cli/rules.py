"""`squall rules`: what incidents open by."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from squall.errors import UsageError
from squall.settings import Settings, get_settings

if TYPE_CHECKING:
    from squall.rules import Rule, RuleSet

app = typer.Typer(
    help="Check rules, try them on numbers, and put them in force.\n\nA rule's conditions go by metrics: `squall rules metrics`.",
    no_args_is_help=True,
)
Namespace = Annotated[str, typer.Option(help="namespace of a replay; empty: live")]
File = Annotated[Path | None, typer.Argument(help="a file of rules; left out: those that a new namespace begins with")]


@app.command()
def check(file: File = None) -> None:
    """Check a file of rules; an error names file and line."""
    rules = _read(file)
    settings = get_settings()
    for rule in rules.rules:
        if unknown := [name for name in rule.channels or () if name not in settings.notify.channels]:
            known = ", ".join(settings.notify.channels) or "none"
            raise UsageError(f"rule {rule.name!r} tells channel {unknown[0]!r}, which is not set: there is {known}")
    print(f"{len(rules.rules)} rules are good: {', '.join(rule.name for rule in rules.rules)}")


@app.command()
def show(
    namespace: Namespace = "", history: Annotated[bool, typer.Option("--history", help="when which version was in force")] = False
) -> None:
    """Print the rules in force, or the history of versions."""
    from squall.cli.reading import reading, when
    from squall.db.rules import list_versions, newest_rules

    with reading(get_settings().in_namespace(namespace)) as connection:
        newest, versions = newest_rules(connection), list_versions(connection)
    if newest is None:
        print("no rules are in force yet: those that ship will be, with the first decided minute (`squall rules check`)")
    elif history:
        from rich.console import Console
        from rich.table import Table

        table = Table("version", "in force from (UTC)", "by", "applied", "watch-lists", box=None, pad_edge=False)
        for one in versions:
            start = "the beginning" if one.effective_at.year == 1970 else when(one.effective_at)
            table.add_row(one.version, start, one.author, when(one.applied_at), ", ".join(one.lists) or "–")
        Console().print(table)
    else:
        print(f"# version {newest.version}, by {newest.author}")
        print(newest.body.rstrip())


@app.command("test")
def try_(
    scope: Annotated[str, typer.Argument(help="a scope: company:boeing, sector:energy, market")],
    values: Annotated[list[str], typer.Argument(help="metrics: excess=0.4 share_up=1; also companies=8, how many are hit")],
    file: Annotated[
        Path | None, typer.Option("--rules", help="a file of rules; else those that a new namespace begins with")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Say which rules would fire for a scope at these numbers, and what each of the others wants.

    `squall rules test company:boeing excess=0.4 share_up=1 stories=5 --rules my.yml`
    """
    from squall.companies import load_companies
    from squall.scopes import parse_scope

    rules, metrics = _read(file), _metrics(values)
    try:
        parse_scope(scope)
    except ValueError as error:
        raise UsageError(str(error)) from None
    sectors = {company.id: company.sector for company in load_companies(get_settings().companies_file) if company.sector}
    found = [_tried(rule, scope, metrics, sectors) for rule in rules.rules]
    if as_json:
        print(json.dumps(found))
        return
    for one in found:
        if one["holds"]:
            later = f" after {one['for']} min" if one["for"] else ""
            listed = f", if watch-list {one['watchlist']} says so" if one["watchlist"] else ""
            print(f"{one['rule']}: fires{later}{listed}")
        elif not one["watches"]:
            print(f"{one['rule']}: does not watch {scope}")
        else:
            print(f"{one['rule']}: does not fire, wants {', '.join(one['failing'])}{'; calm' if one['calm'] else ''}")


def _tried(rule: "Rule", scope: str, metrics: dict[str, float], sectors: "Mapping[str, str]") -> dict[str, Any]:
    """What a rule says of a scope at some numbers; the scope's company is taken to be on the rule's watch-list."""
    from squall.scopes import parse_scope

    listed = rule.scope.watchlist
    members = {listed: {parse_scope(scope).company_id or "": math.inf}} if listed else {}
    failing = [str(condition) for condition in rule.when if not condition.holds(metrics)]
    least = {"stories": rule.min_stories, "companies": rule.min_companies, "mentions": rule.min_mentions}
    failing += [f"{name} ≥ {count}" for name, count in least.items() if metrics.get(name, 0) < count]
    watches = rule.scope.covers(scope, sectors, members)
    return {
        "rule": rule.name,
        "holds": watches and not failing,
        "watches": watches,
        "watchlist": listed,
        "failing": failing,
        "calm": rule.is_calm(metrics),
        "for": rule.hold,
    }


@app.command()
def apply(file: Annotated[Path, typer.Argument(help="a file of rules")], namespace: Namespace = "") -> None:
    """Put rules in force from the next minute on; incidents of rules that are gone are resolved, with that as their reason."""
    from squall.cli.reading import actor, writing
    from squall.db.rules import apply_rules

    check(file)
    with writing(get_settings().in_namespace(namespace)) as connection:
        at = apply_rules(connection, _text(file), str(file), actor())
    print("in force from the beginning" if at.year == 1970 else f"in force from {at:%Y-%m-%d %H:%M} UTC of event time")


@app.command()
def metrics() -> None:
    """Print the metrics that conditions can go by."""
    from squall.rules import METRICS

    for name, words in METRICS.items():
        print(f"{name:16}{words}")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: invalid UTF-8 at byte {error.start}") from None


def _read(file: Path | None) -> "RuleSet":
    from squall.db.rules import first_rules
    from squall.rules_file import parse_rules

    settings: Settings = get_settings()
    return parse_rules(*first_rules(settings)) if file is None else parse_rules(_text(file), str(file))


def _metrics(values: list[str]) -> dict[str, float]:
    from squall.rules import METRICS

    found: dict[str, float] = {}
    for value in values:
        name, _, number = value.partition("=")
        if name not in METRICS and name != "companies":
            raise UsageError(f"{value!r}: no metric {name!r}: there is {', '.join(METRICS)}")
        try:
            found[name] = float(number)
        except ValueError:
            raise UsageError(f"{value!r}: use {name}=NUMBER") from None
    return found
