"""`squall worker`: one worker process in the foreground."""

from typing import Annotated

import typer

from squall.settings import get_settings

Agents = Annotated[str, typer.Option(help="which agents, by comma: intake, market, scoring, clock, watch, notify; empty: all")]
Namespace = Annotated[str | None, typer.Option(help="namespace of a replay; left out: that of the settings")]
Stalled = Annotated[
    bool,
    typer.Option("--exit-when-stalled", help="end with 1 where nothing moves; for containers, where no `squall up` looks on"),
]


def worker(agents: Agents = "", namespace: Namespace = None, exit_when_stalled: Stalled = False) -> None:
    """Run one worker until SIGTERM or SIGINT. Broker and database must be there, with topics and schema (`squall up` sees to it).

    A worker with only some of the agents is in a consumer group of its own, beside that of the workers with all.
    """
    from squall.embedded import addresses
    from streams.worker import leave, run, set_up_logs

    settings = get_settings()
    if namespace is not None:
        settings = settings.in_namespace(namespace)
    set_up_logs(settings.log_level)
    names = [name.strip() for name in agents.split(",") if name.strip()]
    leave(run(settings, addresses(settings), names, exit_when_stalled=exit_when_stalled))
