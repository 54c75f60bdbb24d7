"""`make bench-calibrate`: what `squall calibrate` takes on a long history, time and memory; one JSON line last.

An invented history is written to a database of its own, and the command itself plays it, with nothing stored.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks import wide_world
from benchmarks.pipeline import hardware
from squall.db.engine import make_engine
from squall.embedded import running
from squall.settings import Settings

ROOT = Path(__file__).parent.parent
CHUNK = 250_000
"""Mentions that are written in one transaction."""
_DECIDED = """
INSERT INTO cursor (name, at) VALUES ('watch', :now) ON CONFLICT (name) DO UPDATE SET at = excluded.at
"""


def main() -> None:
    """Fill, calibrate, and say what it took."""
    parser = argparse.ArgumentParser(prog="make bench-calibrate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=int, default=365, help="days of history")
    parser.add_argument("--a-day", type=int, default=150, help="mentions a day, over 1,000 companies")
    arguments = parser.parse_args()
    root = ROOT / ".squall"
    root.mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="bench-cal-", dir=root))
    try:
        print(json.dumps(measure(home, arguments.days, arguments.a_day)))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def measure(home: Path, days: int, a_day: int) -> dict[str, Any]:
    """The figures of one history."""
    settings = Settings(home=home, namespace="bench")
    with running(settings, broker=False) as services:
        engine = make_engine(settings, services.database_url)
        wide_world.start(engine, settings, days)
        whole = days * a_day
        for done in range(0, whole, CHUNK):
            wide_world.fill(engine, done + 1, min(whole, done + CHUNK), a_day=a_day, mood=False)
            print(f"{min(whole, done + CHUNK)} of {whole} mentions written", file=sys.stderr, flush=True)
        with engine.begin() as connection:
            connection.execute(text(_DECIDED), {"now": wide_world.NOW})
        engine.dispose()
        env = {**os.environ, "SQUALL_DATABASE__URL": services.database_url, "SQUALL_HOME": str(home)}
        words = ("calibrate", "--days", str(days), "--dry-run", "--json", "--namespace", "bench")
        begun = time.perf_counter()
        child = subprocess.Popen([sys.executable, "-m", "squall", *words], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
        said = child.stdout.read().splitlines() if child.stdout else []
        _, status, used = os.wait4(child.pid, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            raise SystemExit("squall calibrate failed")
    return {
        "peak_mib": round(used.ru_maxrss / 1024),
        "minutes": round((time.perf_counter() - begun) / 60, 1),
        "cpu_minutes": round((used.ru_utime + used.ru_stime) / 60, 1),
        "days": days,
        "mentions": whole,
        "families": json.loads(said[-1])["families"],
        "hardware": hardware(),
    }


if __name__ == "__main__":
    main()
