"""`squall leadlag`: whose mood has led its price, and whose price its mood."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from squall.errors import UsageError
from squall.settings import get_settings

if TYPE_CHECKING:
    from pipelines.maintenance.lead_lag import Finding

BEGINNING, END = datetime(1970, 1, 1), datetime(9000, 1, 1)


def leadlag(
    *,
    from_: Annotated[datetime, typer.Option("--from", help="first close, in UTC", show_default="the first bar")] = BEGINNING,
    to: Annotated[datetime, typer.Option("--to", help="time before which the closes end", show_default="the last bar")] = END,
    level: Annotated[float, typer.Option(min=1e-6, max=0.5, help="share of false ones among what is found")] = 0.05,
    namespace: Annotated[str, typer.Option(help="namespace of a replay; empty: live")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one line of JSON, last")] = False,
) -> None:
    """Ask of every company whether its mood has led its market-adjusted price, or the price the mood, and store the answers.

    That one came before the other says nothing of causes. The first 60 % of the sessions find, the rest confirms.
    """
    import statsmodels  # noqa: F401  (asked for before anything is read)

    from pipelines.maintenance.lead_lag import lead_lag
    from pipelines.maintenance.lead_lag_store import read_sessions, replace_findings
    from squall.cli.reading import writing
    from squall.db.readback import read_names

    first, end = from_.replace(tzinfo=UTC), to.replace(tzinfo=UTC)
    if first >= end:
        raise UsageError(f"--from {first:%Y-%m-%d %H:%M} is not before --to {end:%Y-%m-%d %H:%M}")
    with writing(get_settings().in_namespace(namespace)) as connection:
        series = read_sessions(connection, first, end)
        findings = lead_lag(series, level)
        replace_findings(connection, findings)
        names = read_names(connection)[0]
    _print(findings, names, level)
    if as_json:
        found = [one for one in findings if one.q <= level]
        summary = {
            "companies": len(series),
            "tests": len(findings),
            "found": len(found),
            "confirmed": sum(one.confirmed for one in found),
            "findings": [{**one._asdict(), "first": one.first.isoformat(), "last": one.last.isoformat()} for one in found],
        }
        print(json.dumps(summary), flush=True)


def _print(findings: "list[Finding]", names: dict[str, str], level: float) -> None:
    from pipelines.maintenance.lead_lag import words

    tested = len({one.company for one in findings})
    found = [one for one in findings if one.q <= level]
    for one in found:
        print(words(one, names.get(one.company, one.company)))
    confirmed = sum(one.confirmed for one in found)
    print(f"{len(findings)} tests of {tested} companies: {len(found)} found at q {level:g}, {confirmed} seen again later")
    if not findings:
        print("no company has 60 sessions with articles and prices in the first 60 % of the time")
