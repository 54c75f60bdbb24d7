"""`make bench-dashboard`: how long callbacks and the first page take at 100,000 and at 1,000,000 mentions; one JSON line last.

A real browser opens every page, changes ranges and sees news land; each request's time is the browser's own measure. Twenty
viewers are twenty threads that send again what the browser sent, and the pulse every other second.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine

from benchmarks import wide_world
from dashboard.screenshots import browser, settled
from models.explainer import Explainer
from squall.db.engine import make_engine
from squall.embedded import running
from squall.settings import Settings

ROOT = Path(__file__).parent.parent
CALLBACK = "/_dash-update-component"
OTHERS = {"/squall/pulse": "pulse", "/_dash-layout": "first layout, with its page"}
RANGES = ("6h", "1d", "5d", "1m", "6m")
PAGES = ("/incidents", "/stories", "/labels", "/models", "/watchlists", "/pipeline")
ROUNDS = 5
VIEWERS, VIEW_S = 20, 30.0


@dataclass
class Seen:
    """What the browser measured."""

    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Milliseconds by callback."""
    first_page: list[float] = field(default_factory=list)
    bodies: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Body and headers of each request, to be sent again."""

    def worst(self) -> tuple[str, float]:
        """The callback whose 95th percentile is the highest."""
        return max(((name, p95(times)) for name, times in self.times.items()), key=lambda one: one[1])


def p95(values: Sequence[float]) -> float:
    """The 95th percentile, the nearest measured value above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]


@contextmanager
def serving(url: str, namespace: str, home: Path) -> Iterator[str]:
    """The dashboard as `squall up` runs it, without log-in."""
    env = {**os.environ, "SQUALL_DATABASE__URL": url, "SQUALL_NAMESPACE": namespace, "SQUALL_HOME": str(home)}
    env |= {"SQUALL_DASHBOARD__PORT": "0", "SQUALL_DASHBOARD__LOGIN": "false"}
    process = subprocess.Popen([sys.executable, "-m", "dashboard"], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line.startswith("dashboard: "):
            raise SystemExit("the dashboard did not start")
        yield line.split()[1]
    finally:
        process.terminate()
        process.wait(20)


def watch(page: Any, seen: Seen) -> None:
    """Note the time of every callback, pulse and first layout that the page asks for."""

    def note(request: Any) -> None:
        path = "/" + request.url.split("/", 3)[3].partition("?")[0]
        if path not in {CALLBACK, *OTHERS}:
            return
        timing = request.timing
        took = timing["responseEnd"] - timing["requestStart"]
        if path == CALLBACK and request.post_data:
            name = str(json.loads(request.post_data)["output"]) + (" by meaning" if '"meaning"' in request.post_data else "")
            seen.bodies.append((request.post_data, {"X-CSRFToken": request.headers.get("x-csrftoken", "")}))
        else:
            name = OTHERS[path]
        if took > 0:
            seen.times[name].append(took)

    page.on("requestfinished", note)


def drive(chrome: Any, address: str, engine: Engine) -> tuple[Seen, dict[str, str]]:
    """Use the pages as a person would; returns what was seen, and the cookies."""
    seen = Seen()
    context = chrome.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(120_000)
    for number in range(ROUNDS):
        page = context.new_page()
        watch(page, seen)
        begun = time.perf_counter()
        page.goto(address + "/")
        page.locator("#now-verdict").wait_for()
        page.locator(".heat-box").first.locator("table, .empty").first.wait_for(state="attached")
        seen.first_page.append(1000 * (time.perf_counter() - begun))
        _ranges(page, "#now-range")
        wide_world.land(engine, number)
        page.wait_for_timeout(1500)
        for path in (f"/company/company-{number * 3}", *PAGES, "/scope/market"):
            page.goto(address + path)
            settled(page)
            if page.locator("#range").count():
                _ranges(page, "#range")
            if path == "/stories":
                _search(page)
        page.close()
    cookies = {cookie["name"]: cookie["value"] for cookie in context.cookies()}
    context.close()
    return seen, cookies


def _ranges(page: Any, control: str) -> None:
    for name in RANGES:
        with page.expect_response(lambda answer: CALLBACK in answer.url):
            page.locator(control).get_by_text(name, exact=True).click()
        page.wait_for_timeout(300)


def _search(page: Any) -> None:
    page.locator("#story-mode").get_by_text("Meaning", exact=True).click()
    for words in ("a plant stands still after a fire", "orders dry up"):
        with page.expect_response(lambda answer: CALLBACK in answer.url):
            page.locator("#story-words").fill(words)
        settled(page)


def crowd(address: str, seen: Seen, cookies: dict[str, str]) -> dict[str, list[float]]:
    """Twenty viewers: each second each of them asks the pulse or sends one of the browser's requests again, in turn."""
    times: dict[str, list[float]] = defaultdict(list)
    lock, end = threading.Lock(), time.monotonic() + VIEW_S

    def view(number: int) -> None:
        rng = random.Random(number)
        with httpx.Client(base_url=address, cookies=cookies, timeout=60) as client:
            time.sleep(rng.random())
            turn = 0
            while time.monotonic() < end:
                begun = time.perf_counter()
                if turn % 2:
                    body, headers = rng.choice(seen.bodies)
                    answer = client.post(CALLBACK, content=body, headers={"Content-Type": "application/json", **headers})
                else:
                    answer = client.get("/squall/pulse")
                took = 1000 * (time.perf_counter() - begun)
                with lock:
                    times[str(answer.status_code)].append(took)
                turn += 1
                time.sleep(max(0.0, 1 - took / 1000))

    threads = [threading.Thread(target=view, args=(number,)) for number in range(VIEWERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def main() -> None:
    """Fill, measure, fill more, measure again."""
    parser = argparse.ArgumentParser(prog="make bench-dashboard", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", type=int, default=100_000, help="mentions of the first measurement")
    parser.add_argument("--large", type=int, default=1_000_000, help="mentions of the second")
    arguments = parser.parse_args()
    root = ROOT / ".squall"
    root.mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="bench-dash-", dir=root))
    try:
        print(json.dumps(measure(home, arguments.small, arguments.large)))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def measure(home: Path, small: int, large: int) -> dict[str, Any]:
    """The figures of both sizes."""
    settings = Settings(home=home, namespace="bench")
    with running(settings, broker=False) as services, browser() as chrome:
        url = services.database_url
        engine = make_engine(settings, url)
        wide_world.start(engine, settings, large // wide_world.A_DAY)
        done, found = 0, []
        for size in (small, large):
            begun = time.perf_counter()
            wide_world.fill(engine, done + 1, size)
            if size == small:
                vector, version = Explainer(settings).meaning("news", None)
                wide_world.embed(engine, version, len(vector))
            done = size
            say(f"{size} mentions, {wide_world.scopes(engine)} scopes, filled in {time.perf_counter() - begun:.0f} s")
            with serving(url, "bench", home) as address:
                seen, cookies = drive(chrome, address, engine)
                many = crowd(address, seen, cookies) if size == large else {}
            for name, times in sorted(seen.times.items(), key=lambda one: -p95(one[1])):
                say(f"  {p95(times):7.0f} ms p95 of {len(times):3d}  {name[:100]}")
            found.append(seen)
        engine.dispose()
    bad = sum(len(times) for status, times in many.items() if status not in {"200", "204"})
    everything = [one for times in many.values() for one in times]
    before, after = found
    calls = [[one for times in seen.times.values() for one in times] for seen in found]
    return {
        "callback_p95_ms": round(after.worst()[1]),
        "growth_100k_to_1m": round(max(p95(calls[1]) / p95(calls[0]), p95(after.first_page) / p95(before.first_page)), 2),
        "first_page_ms": round(p95(after.first_page)),
        "callback_p95_20_viewers_ms": round(p95(everything)),
        "worst_callback": after.worst()[0],
        "growth_callbacks": round(p95(calls[1]) / p95(calls[0]), 2),
        "growth_first_page": round(p95(after.first_page) / p95(before.first_page), 2),
        "failed_requests": bad,
        "mentions": [small, large],
        "load_1_min": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }


def say(line: str) -> None:
    """A line for people."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
