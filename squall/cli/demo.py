"""`squall demo`: the whole system at its main job, on one machine, in a few minutes."""

import json
import signal
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from squall.errors import UsageError, UserError
from squall.settings import Settings, get_settings

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.demo.play import Fired, Played, Script
    from squall.embedded import Addresses
    from squall.embedded.stack import Stack

NAMESPACE = "demo"
WATCHABLE_S = 60.0
"""How long the replay takes where a person looks on."""
LIMIT_S = 900.0
START_LIMIT_S = 180.0
STORIES = 10_000
"""More than the demo has."""
COLOURS = {"critical": "bold magenta", "high": "bold red", "medium": "yellow", "info": "cyan"}


def demo(
    *,
    exit_after_alert: Annotated[
        bool, typer.Option("--exit-after-alert", help="end when all is done; exit 0 only where an alert has fired")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the outcome as JSON, as the last line")] = False,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="worker processes; else SQUALL_WORKERS")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="of the dashboard; else 8050, or a free one")] = None,
    speed: Annotated[
        str | None, typer.Option(help="event time by wall time, or max; else about a minute, max with --exit-after-alert")
    ] = None,
    permute: Annotated[
        int | None, typer.Option(metavar="SEED", help="play the control: the same headlines, the companies exchanged")
    ] = None,
) -> None:
    """Replay nine months of 2012 and 2013: real prices, headlines of our own, and the alerts as they happen.

    The last of them is still open at the end.

    It runs its own broker, Postgres, workers and dashboard under SQUALL_HOME/demo, which is emptied first, and stops them all
    at Ctrl-C. The headlines were written for it: it shows that everything works, and is no measure of detection.
    """
    from rich.console import Console

    from squall.embedded.signals import Stopped, stoppable

    console = Console(stderr=as_json, highlight=False, soft_wrap=True)
    show = _Demo(console, as_json, exit_after_alert)
    settings = _settings(get_settings(), port)
    chosen = _speed(speed)
    try:
        with stoppable():
            show.run(settings, workers or settings.workers, chosen, permute)
    except Stopped as stopped:
        show.say(f"stopped everything ({signal.Signals(stopped.number).name})")
        raise typer.Exit(0 if show.done else 128 + stopped.number) from None


def _settings(settings: Settings, port: int | None) -> Settings:
    """Those of the demo: services of its own, whatever else is set."""
    from squall.embedded.broker import free_ports, is_free

    wanted = settings.dashboard.port if port is None else port
    if wanted and not is_free(wanted):
        if port is not None:
            raise UsageError(f"port {port} is taken: choose another --port, or 0 for any free one")
        wanted = 0
    changes: dict[str, Any] = {
        "home": settings.home.expanduser().resolve() / "demo",
        "dashboard": settings.dashboard.model_copy(update={"port": wanted or free_ports(1)[0]}),
        "kafka": settings.kafka.model_copy(update={"bootstrap_servers": None, "security_protocol": "PLAINTEXT"}),
        "database": settings.database.model_copy(update={"url": None}),
    }
    return settings.model_copy(update=changes).in_namespace(NAMESPACE)


def _speed(text: str | None) -> float | None:
    """Times as fast as it happened; 0: flat out; None: nothing was asked for."""
    if text is None or text == "max":
        return None if text is None else 0.0
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise UsageError(f"--speed {text}: a positive number, or max")
    return value


class _Demo:
    """One run, and what it shows."""

    def __init__(self, console: "Console", as_json: bool, exit_after_alert: bool) -> None:
        self.console = console
        self.as_json = as_json
        self.exit_after_alert = exit_after_alert
        self.done = False
        self.password = ""
        self.started = time.monotonic()

    def say(self, line: str, style: str = "") -> None:
        """Print a line where there still is a terminal."""
        try:
            self.console.print(line, style=style, markup=False)
        except OSError:
            return

    def run(self, settings: Settings, workers: int, speed: float | None, permute: int | None) -> None:
        from pipelines.demo.play import DemoError, load
        from pipelines.ingest.replay import prepare
        from squall.embedded.signals import time_limit
        from squall.embedded.stack import stack
        from squall.topics import create_topics

        late = DemoError(f"not done after {LIMIT_S:.0f} s: see the logs in {settings.home / 'logs'}")
        error: UserError | None = None
        about: dict[str, Any] = {}

        def ready(inside: Settings, addresses: "Addresses") -> None:
            from squall.accounts import add_first

            engine = prepare(inside, addresses, script.first, script.last)
            if inside.dashboard.login:
                with engine.begin() as connection:
                    self.password = add_first(connection) or ""
            engine.dispose()

        with time_limit(LIMIT_S if self.exit_after_alert else 0, late):
            self.say("starting a broker, Postgres, workers and the dashboard …")
            script = load(settings, permute)
            with stack(
                settings,
                workers=workers,
                dashboard=True,
                prepare=ready,
                on_broker=lambda bootstrap: create_topics(settings, bootstrap),
                wipe=True,
            ) as running:
                try:
                    self._greet(running)
                    played = self._play(script, running, speed)
                    about = self._tell(script, played, running)
                    if not about["alerts"]:
                        raise DemoError("everything was scored or dead-lettered, and no alert has fired")
                except UserError as problem:
                    error = problem
                if not self.exit_after_alert and error is None:
                    self._embed(running)
                    self._stay(running, about)
        if self.as_json:
            print(json.dumps({**about, "error": str(error) if error else None}), flush=True)
        if error:
            raise error

    def _greet(self, running: "Stack") -> None:
        if running.dashboard:
            running.dashboard.wait_ready(START_LIMIT_S)
        self.say(f"dashboard  {running.dashboard_url}", "bold green")
        if self.password:
            self.say(f"log in     admin, password {self.password} (of this demo only)", "bold green")
        self.say(f"broker     {running.addresses.bootstrap} ({running.addresses.broker_kind})", "dim")
        self.say(f"database   {running.addresses.database_url}", "dim")
        for child in running.workers:
            child.wait_ready(START_LIMIT_S)
        self.say(f"{len(running.workers)} of {len(running.workers)} workers run; Ctrl-C stops everything", "dim")

    def _play(self, script: "Script", running: "Stack", speed: float | None) -> "Played":
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        from pipelines.demo.play import play
        from squall.db.engine import make_engine

        if speed is None and not self.exit_after_alert:
            speed = (script.last - script.first).total_seconds() / WATCHABLE_S
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        engine = make_engine(running.settings, running.addresses.database_url)
        self.say(f"replaying {len(script.items)} items of {script.first:%Y-%m-%d} to {script.last:%Y-%m-%d}")
        try:
            with Progress(*columns, console=self.console, disable=not self.console.is_terminal) as progress:
                sent = progress.add_task("items sent", total=len(script.items))
                scored = progress.add_task("mentions scored", total=None)
                return play(
                    script,
                    engine,
                    running.settings,
                    running.addresses,
                    speed=speed or None,
                    on_sent=lambda count: progress.advance(sent, count),
                    on_counts=lambda now: progress.update(scored, completed=now.mentions_scored, total=now.mentions),
                    on_alert=self._alert,
                )
        finally:
            engine.dispose()

    def _alert(self, fired: "Fired") -> None:
        what = fired.scope.removeprefix(f"company:{fired.company_id}").replace("/topic:", ", ").replace("-", " ")
        name = f"{fired.company}{what}" if fired.company else what
        line = f"{fired.fired_at:%Y-%m-%d %H:%M} UTC  {fired.severity.upper()}  {name}  surprise {fired.surprise:.1f}"
        self.say(f"ALERT {line} (fires at {fired.threshold:.1f})  “{fired.headline}”", COLOURS.get(fired.severity, "bold"))

    def _tell(self, script: "Script", played: "Played", running: "Stack") -> dict[str, Any]:
        from pipelines.demo.play import outcome
        from pipelines.demo.scenario import as_dict, summary

        found = outcome(script, played)
        seconds = round(time.monotonic() - self.started, 1)
        stands = played.counts
        self.say("")
        self.say(
            f"{played.sent.news} items sent, {stands.mentions_scored} mentions scored, {stands.dead_letters} dead letters, "
            f"{len(played.fired)} alerts, {seconds:.0f} s"
        )
        self.say(summary(found))
        return {
            "news_sent": played.sent.news,
            "mentions_scored": stands.mentions_scored,
            "dead_letters": stands.dead_letters,
            "alerts": len(played.fired),
            "seconds": seconds,
            "articles": stands.articles,
            "mentions": stands.mentions,
            "bars": stands.bars,
            "charts": stands.charts,
            **as_dict(found),
            "broker": running.addresses.broker_kind,
            "bootstrap": running.addresses.bootstrap,
            "dashboard": running.dashboard_url,
        }

    def _embed(self, running: "Stack") -> None:
        """Let the page Stories search by meaning, too."""
        from models.engine import load_engine
        from pipelines.maintenance.embed import embed
        from squall.db.engine import make_engine

        engine = make_engine(running.settings, running.addresses.database_url)
        try:
            embed(engine, load_engine(running.settings), STORIES)
        finally:
            engine.dispose()

    def _stay(self, running: "Stack", about: dict[str, Any]) -> None:
        self.done = True
        if self.as_json:
            print(json.dumps(about), flush=True)
        self.say("")
        who = f" as admin, password {self.password}" if self.password else ""
        self.say(f"look around at {running.dashboard_url}{who}; Ctrl-C stops everything", "bold green")
        sys.stdout.flush()
        while True:
            signal.pause()
