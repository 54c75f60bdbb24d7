"""`python -m dashboard.screenshots URL` takes pictures of every page of a running dashboard, light and dark, wide and narrow.

Without an address it plays the demo, and takes them of that.

Needs the development extra (playwright) and a Chromium.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

SIZES = {"wide": (1280, 900), "narrow": (390, 844), "huge": (2560, 1300)}
TALLEST = 1600
"""Pixels of a narrow picture at most."""
EXACT = 192
"""Colours of a picture that stay exactly as they are."""
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str | None:
    """Path of a Chromium or Chrome; None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


@contextmanager
def browser() -> Iterator[Any]:
    """A headless browser.

    Raises:
        SystemExit: there is none.
    """
    from playwright.sync_api import sync_playwright

    path = chromium()
    if path is None:
        raise SystemExit("no Chromium found: install the package `chromium`")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, headless=True, args=list(FLAGS))
        try:
            yield opened
        finally:
            opened.close()


def settled(page: Any) -> None:
    """Wait until a page has its content, its times and its charts."""
    page.locator(".page").wait_for()
    page.locator("#link-state[data-kind='up']").wait_for()
    for part, content in (
        ("#chart", ".barlayer"),
        ("#flow", ".barlayer"),
        ("#drift", ".scatterlayer"),
        (".story-list", ".story, .empty"),
        (".heat-box", "table, .empty"),
        (".grid", ".ag-row, .ag-overlay"),
    ):
        if page.locator(part).count():
            page.locator(part).first.locator(content).first.wait_for(state="attached")
    page.wait_for_load_state("networkidle")


def take(url: str, folder: Path, sizes: list[str], company: str, only: list[str] | None = None) -> list[Path]:
    """Take the pictures; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: f"/{name}" for name in ("incidents", "stories", "labels", "watchlists", "models", "pipeline", "audit")}
    paths = {"now": "/", "company": f"/company/{company}", **paths}
    if only:
        paths = {name: paths[name] for name in only}
    taken = []
    with browser() as opened:
        for size in sizes:
            for scheme in ("light", "dark"):
                width, height = SIZES[size]
                context = opened.new_context(
                    viewport={"width": width, "height": height},
                    color_scheme=scheme,
                    timezone_id="America/New_York",
                    locale="en-GB",
                )
                page = context.new_page()
                for name, path in paths.items():
                    page.set_viewport_size({"width": width, "height": height})
                    page.goto(url + path)
                    settled(page)
                    if name == "now" and (head := page.query_selector(".incidents button")):
                        head.click()
                    if size == "narrow":
                        # In a picture of the full page the bar at the bottom would stand in its middle.
                        tall = page.evaluate("() => document.documentElement.scrollHeight")
                        page.set_viewport_size({"width": width, "height": min(tall, TALLEST)})
                    file = folder / f"{name}-{size}-{scheme}.png"
                    page.screenshot(path=str(file))
                    compress(file)
                    taken.append(file)
                context.close()
    return taken


@contextmanager
def demo() -> Iterator[str]:
    """The dashboard of a demo that has been played to its end, without log-in, on this machine alone; yields its address.

    Raises:
        SystemExit: the demo did not come to its end.
    """
    command = (sys.executable, "-m", "squall", "demo", "--json", "--speed", "max", "--port", "0")
    with TemporaryDirectory(prefix="squall-") as home:
        Path(home).chmod(0o755)
        env = {**os.environ, "SQUALL_HOME": home, "SQUALL_DASHBOARD__LOGIN": "false"}
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
            try:
                line = process.stdout.readline() if process.stdout else ""
                if not line.startswith("{"):
                    raise SystemExit("the demo did not come to its end")
                yield str(json.loads(line)["dashboard"])
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(120)


def compress(file: Path) -> None:
    """Reduce a picture to 256 colours: its most frequent ones as they are, and what is near to the others, edges of letters.

    A median cut of all pixels would turn the few of a severity brown.
    """
    import numpy as np
    from PIL import Image

    with Image.open(file) as image:
        plain = image.convert("RGB")
    spread = np.array(plain.quantize(256 - EXACT, Image.Quantize.MAXCOVERAGE).getpalette(), dtype=np.int32).reshape(-1, 3)
    packed = np.asarray(plain, dtype=np.int32) @ (1 << 16, 1 << 8, 1)
    codes, places, counts = np.unique(packed, return_inverse=True, return_counts=True)
    colors = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1)
    palette = np.concatenate([colors[np.argsort(-counts)[:EXACT]], spread])
    nearest = ((colors[:, None] - palette) ** 2).sum(axis=2).argmin(axis=1)
    small = Image.fromarray(nearest[places].reshape(packed.shape).astype(np.uint8), "P")
    small.putpalette(palette.astype(np.uint8).tobytes())
    small.save(file, optimize=True)


def main() -> None:
    """Take the pictures that the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m dashboard.screenshots", description=__doc__)
    parser.add_argument("url", nargs="?", help="address of a running dashboard without log-in; left out: the demo is played")
    parser.add_argument("--out", type=Path, default=Path("docs/screenshots"))
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=["wide", "narrow"])
    parser.add_argument("--pages", nargs="+", help="which pages; left out: all")
    parser.add_argument("--company", default="apple", help="company whose page is shown")
    arguments = parser.parse_args()
    with nullcontext(arguments.url) if arguments.url else demo() as url:
        for file in take(url.rstrip("/"), arguments.out, arguments.sizes, arguments.company, arguments.pages):
            print(file)


if __name__ == "__main__":
    main()
