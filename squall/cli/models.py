"""`squall models`: which model versions there are, which one serves, and changing that."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from squall.errors import UsageError, UserError
from squall.settings import Settings, get_settings

if TYPE_CHECKING:
    from squall.registry import Promotion, Serving, Version

app = typer.Typer(
    help="Register model versions, compare them, and say which one serves.\n\nThe champion serves; a new one does from one event "
    "minute on, once it has scored what baselines go by and workers have opened it. A version is named by its number, its name "
    "or how that begins, or as champion or challenger.",
    no_args_is_help=True,
)
Namespace = Annotated[str, typer.Option(help="namespace of a replay; empty: live")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
Rate = Annotated[float, typer.Option(min=0.1, help="mentions a second at most that it scores beforehand")]
Named = Annotated[str, typer.Argument(help="number, name, or alias of a version")]


@app.command("list")
def list_(namespace: Namespace = "", as_json: AsJson = False) -> None:
    """Print all versions, the newest first, and what each worker serves."""
    from squall import registry
    from squall.cli.reading import reading, when

    with reading(get_settings().in_namespace(namespace)) as connection:
        found, workers = registry.versions(connection), registry.serving(connection)
    if as_json:
        print(_json({"versions": [_plain(one) for one in found], "workers": [asdict(one) for one in workers]}))
        return
    if not found:
        print("no models are registered yet: `squall db upgrade` registers the one that ships")
        return
    _table(
        ("no.", "version", "is", "registered (UTC)", "by", "first used", "metrics"),
        [
            (
                str(one.number),
                one.version,
                ", ".join(one.aliases) or "–",
                when(one.created_at),
                one.created_by,
                when(one.first_used_at),
                _figures(one),
            )
            for one in found
        ],
    )
    _show_workers(workers)


@app.command()
def show(version: Named = "champion", namespace: Namespace = "", as_json: AsJson = False) -> None:
    """Print one version: where it is kept, its hash and metrics, and when it became champion or ceased to be it."""
    from squall import registry
    from squall.cli.reading import reading, when

    with reading(get_settings().in_namespace(namespace)) as connection:
        one = registry.find(connection, version)
        audit = [each for each in registry.promotions(connection) if one.version in (each.from_version, each.to_version)]
        workers = [each for each in registry.serving(connection) if one.version in (each.version, each.refused)]
    if as_json:
        said = {"promotions": [asdict(each) for each in audit], "workers": [asdict(each) for each in workers]}
        print(_json({**asdict(one), **said}))
        return
    print(f"{one.version}, number {one.number}" + (f", {' and '.join(one.aliases)}" if one.aliases else ""))
    print(f"kept in     {one.url}\nmanifest    SHA-256 {one.sha256}")
    print(f"registered  {when(one.created_at)} UTC by {one.created_by}, first used {when(one.first_used_at)}")
    for name, value in one.metrics.items():
        print(f"  {name:20} {value:.4f}")
    if one.verdict:
        print(_judged(one))
    for each in audit:
        print(_told(each))
    _show_workers(workers)


@app.command()
def report(
    version: Named = "challenger",
    to: Annotated[Path | None, typer.Option(help="write it as a page with plots into this HTML file")] = None,
    namespace: Namespace = "",
    as_json: AsJson = False,
) -> None:
    """Print what the gate said of a version, why, and from what; `squall gate --keep` keeps it."""
    from pipelines.learning.gate import known_verdict
    from pipelines.learning.gate_report import page
    from squall import registry
    from squall.cli.reading import reading

    with reading(get_settings().in_namespace(namespace)) as connection:
        one = registry.find(connection, version)
    if one.verdict is None:
        raise UserError(f"the gate has not judged {one.version}, or its verdict was not kept (`squall gate --keep`)")
    if to:
        to.write_text(page(known_verdict(one.verdict)), encoding="utf-8")
    print(_json(one.verdict) if as_json else _judged(one))


@app.command()
def register(
    folder: Annotated[Path, typer.Argument(help="folder of an artifact, as `squall train text` leaves it")],
    metrics: Annotated[Path | None, typer.Option(help="JSON file of figures by name, beside those of the manifest")] = None,
    challenger: Annotated[bool, typer.Option(help="call it the challenger")] = True,
    namespace: Namespace = "",
    as_json: AsJson = False,
) -> None:
    """Verify an artifact, keep a copy where SQUALL_MODEL__STORE says, and register it. It does not serve yet.

    It gets the next number. One that is registered keeps its own, and files of it that are missing or damaged are restored.
    """
    from models.artifact import load_artifact
    from models.store import described, keep, open_version
    from models.store import register as register_artifact
    from squall import registry
    from squall.cli.reading import actor, writing

    settings = get_settings().in_namespace(namespace)
    artifact = load_artifact(folder, get_settings().model.base)
    figures = _read_figures(metrics) if metrics else {}
    url = keep(artifact, settings)
    open_version(settings, artifact.version, url, described(artifact)[1])
    with writing(settings) as connection:
        new = register_artifact(connection, artifact, url, actor=actor(), figures=figures)
        if challenger and registry.CHAMPION not in new.aliases:
            registry.set_alias(connection, registry.CHALLENGER, new.version)
        new = registry.find(connection, new.version)
    _mirror(settings)
    is_ = f", {' and '.join(new.aliases)}" if new.aliases else ""
    print(_json(_plain(new)) if as_json else f"{new.version} is number {new.number}{is_}")


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="number, name, or alias of a version")] = "champion",
    second: Annotated[str, typer.Argument(help="of another")] = "challenger",
    namespace: Namespace = "",
    as_json: AsJson = False,
) -> None:
    """Print the metrics of two versions side by side, and how often they agree on mentions that both have scored.

    `squall backfill --model challenger` lets it score past mentions, beside the scores that stand.
    """
    from squall import registry
    from squall.cli.reading import reading
    from squall.db.readback import agreement

    with reading(get_settings().in_namespace(namespace)) as connection:
        one, other = registry.find(connection, first), registry.find(connection, second)
        both, alike = agreement(connection, one.version, other.version)
    names = [*one.metrics, *(name for name in other.metrics if name not in one.metrics)]
    if as_json:
        metrics = {name: [one.metrics.get(name), other.metrics.get(name)] for name in names}
        said = {"versions": [one.version, other.version], "metrics": metrics, "both_scored": both, "same_sentiment": alike}
        print(_json(said))
        return

    def cell(value: float | None) -> str:
        return "–" if value is None else f"{value:.4f}"

    rows = []
    for name in names:
        left, right = one.metrics.get(name), other.metrics.get(name)
        rows.append((name, cell(left), cell(right), "–" if left is None or right is None else f"{right - left:+.4f}"))
    _table(("metric", one.version, other.version, "difference"), rows)
    print(f"same sentiment: {alike} of {both} mentions that both have scored")


@app.command()
def promote(
    version: Named = "challenger",
    reason: Annotated[str, typer.Option(help="why, for the audit", show_default=False)] = "",
    report: Annotated[Path | None, typer.Option(help="JSON report of the gate; one that says no stops the promotion")] = None,
    force: Annotated[bool, typer.Option(help="promote although the report says no; needs --reason")] = False,
    rate: Rate = 200.0,
    namespace: Namespace = "",
    as_json: AsJson = False,
) -> None:
    """Make a version champion, once its hashes, its shapes and a smoke test are as they must be.

    Before that it scores what the baselines go by, so that another level of its scores is no surge; cut off, it goes on where it
    was. Workers open it one after another, and from one event minute on it scores. `squall models rollback` is the way back.
    """
    from squall import registry
    from squall.cli.reading import reading

    settings = get_settings().in_namespace(namespace)
    verdict = _read_report(report) if report else None
    if force and not reason.strip():
        raise UsageError("--force needs a --reason: it stands in the audit")
    with reading(settings) as connection:
        champion, last = registry.champion(connection), registry.promotions(connection, 1)
        if verdict and champion and last and last[0].to_version == champion.version and last[0].verdict == verdict:
            # A try that was killed once it had done it.
            print(_json(asdict(last[0])) if as_json else f"{champion.version} is champion already, by this report")
            return
        one = registry.find(connection, version)
    if verdict and champion:
        _judge(verdict, champion.version, one.version, force=force)
    reason = reason.strip() or ("the gate passed it" if verdict else "asked for on the command line")
    _make_champion(settings, one, "promote", reason, verdict, rate=rate, as_json=as_json)


@app.command()
def rollback(
    reason: Annotated[str, typer.Option(help="why, for the audit", show_default=False)],
    now: Annotated[
        bool, typer.Option("--now", help="at once: baselines go by what it scored before, and by the other's scores since")
    ] = False,
    rate: Rate = 200.0,
    namespace: Namespace = "",
    as_json: AsJson = False,
) -> None:
    """Make the champion before this one champion again, as a promotion does. A second one goes one further back.

    It scores only what came since it was champion.
    """
    from squall import registry
    from squall.cli.reading import reading

    settings = get_settings().in_namespace(namespace)
    with reading(settings) as connection:
        earlier = registry.earlier_champions(registry.promotions(connection))
        if not earlier:
            raise registry.RegistryError("there was no champion before this one")
        one = registry.find(connection, earlier[0])
    _make_champion(settings, one, "rollback", reason, None, rate=None if now else rate, as_json=as_json)


def _make_champion(
    settings: Settings,
    one: "Version",
    kind: str,
    reason: str,
    verdict: dict[str, Any] | None,
    *,
    rate: float | None,
    as_json: bool,
) -> None:
    """Args: rate: mentions a second that it scores beforehand; None: none."""
    from models.store import open_version
    from pipelines.maintenance.promotion import Act, make_champion, rescore
    from squall import registry
    from squall.cli.reading import actor, database, reading
    from squall.db.migrate import check_revision

    threads = settings.model.model_copy(update={"threads": settings.model.threads or 1})
    model = open_version(settings.model_copy(update={"model": threads}), one.version, one.url, one.sha256)
    with reading(settings) as connection:
        registry.check_promotion(connection, one.version, reason)
    act = Act(one.version, actor(), kind, reason, verdict)
    with database(settings) as engine:
        check_revision(engine, settings)
        if rate is None:
            done = make_champion(engine, act)
        else:
            catch_up = partial(rescore, engine, model, settings.detection, rate)
            catch_up(_scored)
            done = make_champion(engine, act, prepare=catch_up)
    _mirror(settings)
    print(_json(asdict(done)) if as_json else f"{done.to_version} is champion, after {done.from_version or 'none'}")


def _scored(scored: int, left: int) -> None:
    print(f"{scored} of {scored + left} mentions scored that baselines go by", file=sys.stderr)


def _mirror(settings: Settings) -> None:
    """Tell MLflow, where the settings name one, what is registered here."""
    from models.mirror import mirror
    from squall import registry
    from squall.cli.reading import reading

    if settings.mlflow.tracking_uri:
        with reading(settings) as connection:
            known = registry.versions(connection)
        mirror(settings.mlflow, known)


def _judge(verdict: dict[str, Any], champion: str, version: str, *, force: bool) -> None:
    """Stop where a report compares other versions than these, or says no.

    Raises:
        UserError: with what it says.
    """
    if (verdict["champion"], verdict["challenger"]) != (champion, version):
        compared = f"{verdict['challenger']} with {verdict['champion']}"
        raise UserError(f"the report compares {compared}, wanted {version} with the champion {champion}: judge anew")
    if not verdict["promote"] and not force:
        reasons = verdict.get("reasons")
        said = "; ".join(map(str, reasons)) if isinstance(reasons, list) and reasons else "see the report"
        raise UserError(f"the gate refuses {version}: {said}")


def _read_json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{file} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{file} holds no JSON object")
    return found


def _read_report(file: Path) -> dict[str, Any]:
    found = _read_json(file)
    if not isinstance(found.get("promote"), bool) or not {"champion", "challenger"} <= found.keys():
        raise UsageError(f'{file} is no report of the gate: it lacks "champion", "challenger", or "promote": true or false')
    return found


def _read_figures(file: Path) -> dict[str, float]:
    found = _read_json(file)
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(f"{file}: {name} is no number")
    return {name: float(value) for name, value in found.items()}


def _figures(one: "Version") -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in one.metrics.items()) or "–"


def _told(one: "Promotion") -> str:
    from squall.cli.reading import when

    return f"{when(one.at)}  {one.kind} of {one.to_version} after {one.from_version or 'none'} by {one.actor}: {one.reason}"


def _judged(one: "Version") -> str:
    from squall.cli.reading import when

    verdict = one.verdict or {}
    said = "passed" if verdict["promote"] else "refused"
    reasons = "".join(f"\n  - {reason}" for reason in verdict["reasons"])
    return f"{when(one.judged_at)}  the gate {said} it beside {verdict['champion']}:{reasons}"


def _show_workers(workers: Sequence["Serving"]) -> None:
    from squall.cli.reading import when

    for one in workers:
        pinned = ", pinned by SQUALL_MODEL__DIR" if one.pinned else ""
        print(f"worker {one.worker} serves {one.version} since {when(one.since)}{pinned}")
        if one.refused:
            print(f"  and refuses {one.refused}: {one.error}")


def _plain(one: "Version") -> dict[str, Any]:
    return {name: value for name, value in asdict(one).items() if name not in ("manifest", "verdict")}


def _json(value: Any) -> str:
    return json.dumps(value, default=lambda at: at.isoformat() if isinstance(at, datetime) else str(at))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*heads, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
