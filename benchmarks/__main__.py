"""`make bench`: a table for people, and one JSON line last.

python -m benchmarks [--texts N] [--workers N] [--keep-going]
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks import engine, linking, pipeline
from benchmarks.table import show
from benchmarks.texts import headlines
from squall.settings import get_settings

TEXTS = 20_000
ROOT = Path(__file__).parent.parent


def main() -> None:
    """Run all benchmarks, one after the other on the same cores."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=TEXTS, help="different texts that go through engine and pipeline")
    parser.add_argument("--workers", type=int, default=1, help="worker processes of the pipeline")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    rows = headlines(arguments.texts)
    titles = [row["title"] for row in rows]
    with console.status("linking"):
        links = linking.measure()
    with console.status("the bare engine and transformers.pipeline in turns"):
        rates = engine.measure(titles, get_settings())
    home = ROOT / ".squall"
    home.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=home))
    try:
        with console.status("the pipeline"):
            whole = pipeline.measure(rows, folder, arguments.workers)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result = {
        "pipeline_over_engine": round(whole.rate / rates.engine_whole, 3),
        "engine_over_transformers": round(rates.quotient, 2),
        **{name: round(value, 4) for name, value in links.items()},
        "p50_ms": round(whole.p50_ms, 1),
        "p99_ms": round(whole.p99_ms, 1),
        "worker_peak_mib": round(whole.peak_mib),
        "pipeline_per_s": round(whole.rate),
        "engine": rates.engine,
        "engine_per_s": round(rates.engine_whole),
        "transformers_per_s": round(rates.transformers),
        "offered_per_s": round(whole.offered),
        "texts": arguments.texts,
        "workers": arguments.workers,
        "broker": whole.broker,
        "hardware": pipeline.hardware(),
    }
    show(result, f"Squall on {result['hardware']}")


if __name__ == "__main__":
    main()
