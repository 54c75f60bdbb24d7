"""The `squall` command. Each module here holds one command or group; heavy imports happen inside the functions."""

import sys

import typer

from squall.cli import (
    alerts,
    backfill,
    backtest,
    calibrate,
    classify,
    companies,
    config,
    dataset,
    db,
    deadletters,
    demo,
    describe_chart,
    down,
    drift,
    embed,
    evaluate,
    explain,
    gate,
    health,
    incidents,
    ingest,
    leadlag,
    maintain,
    mentions,
    models,
    replay,
    rules,
    status,
    topics,
    train,
    up,
    users,
    watchlists,
    worker,
)
from squall.errors import UserError

EXTRAS = {
    **dict.fromkeys(("torch", "transformers", "peft", "sklearn"), "train"),
    "statsmodels": "leadlag",
    "bokeh_sampledata": "demo",
}
"""Packages that few commands need, and the extra that brings each."""

app = typer.Typer(
    name="squall",
    help="Watches what the world says about listed companies, and warns, with evidence, when negative sentiment surges.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("up")(up.up)
app.command("status")(status.status)
app.command("down")(down.down)
app.add_typer(ingest.app, name="ingest")
app.command("replay")(replay.replay)
app.command("backtest")(backtest.backtest)
app.add_typer(incidents.app, name="incidents")
app.add_typer(alerts.app, name="alerts")
app.add_typer(rules.app, name="rules")
app.add_typer(watchlists.app, name="watchlists")
app.add_typer(mentions.app, name="mentions")
app.command("explain")(explain.explain)
app.command("worker")(worker.worker)
app.command("health")(health.health)
app.add_typer(deadletters.app, name="deadletters")
app.add_typer(models.app, name="models")
app.command("backfill")(backfill.backfill)
app.command("maintain")(maintain.maintain)
app.command("calibrate")(calibrate.calibrate)
app.command("leadlag")(leadlag.leadlag)
app.command("embed")(embed.embed)
app.command("config")(config.config)
app.add_typer(companies.app, name="companies")
app.add_typer(topics.app, name="topics")
app.add_typer(db.app, name="db")
app.command("classify")(classify.classify)
app.command("describe-chart")(describe_chart.describe_chart)
app.add_typer(train.app, name="train")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(dataset.app, name="dataset")
app.command("gate")(gate.gate)
app.command("drift")(drift.drift)
app.add_typer(users.app, name="users")


def main() -> None:
    """Run the command line; a person's mistakes end in one line and a non-zero exit."""
    try:
        app()
    except UserError as error:
        print(f"squall: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        print(f"squall: this needs {package}: pip install 'squall[{EXTRAS[package]}]'", file=sys.stderr)
        sys.exit(1)
    except Exception as error:
        from squall.db.engine import explain

        if not (line := explain(error)):
            raise
        print(f"squall: {line}", file=sys.stderr)
        sys.exit(1)
