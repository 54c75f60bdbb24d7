"""`squall down`: stop what `squall up` runs."""

import os
import signal
import time
from contextlib import suppress

import typer

from squall.settings import get_settings

LIMIT_S = 90.0


def down() -> None:
    """Stop a running `squall up` of this home and wait until all is gone; also what a killed one left behind."""
    from squall.embedded.services import stop_stale
    from squall.embedded.stack import stop_stale_children
    from squall.embedded.state import Home, is_alive, read_json

    home = Home(get_settings())
    lock = home.lock("up")
    about = read_json(home.state("up")) or {}
    names = [str(one["name"]) for one in about.get("processes", [])]
    if lock.held() and about and is_alive(about["pid"], about["started"]):
        with suppress(ProcessLookupError):
            os.kill(about["pid"], signal.SIGTERM)
        print(f"stopping {', '.join(names)} (supervisor process {about['pid']})", flush=True)
    end = time.monotonic() + LIMIT_S
    while not lock.take(wait=False) or (about and is_alive(about["pid"], about["started"])):
        if time.monotonic() > end:
            print(f"squall: it has not stopped after {LIMIT_S:.0f} s: see {home.logs}")
            raise typer.Exit(1)
        lock.release()
        time.sleep(0.1)
    try:
        left = stop_stale_children(home)
        for name in ("broker", "database"):
            service_lock = home.lock(name)
            if service_lock.take_soon():
                try:
                    left += [name] if stop_stale(home, "broker" if name == "broker" else "database") else []
                finally:
                    service_lock.release()
    finally:
        lock.release()
    if names and not left:
        print("stopped")
    elif left:
        print(f"stopped what an earlier run had left behind: {', '.join(left)}")
    else:
        print(f"nothing runs in {home.path}")
