"""`make bench-detection`: tables on standard error, one JSON line last.

python -m benchmarks.detection [--quick] [--only SCENE] [--seeds N] [--search N] [--workers N] [--write docs/detection.json]
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from benchmarks.detection import promise, report, silence
from benchmarks.detection.scenes import QUICK, RANDOM, SIMULATED, SQUALL, STOCKNET, build, detectors, run_detector
from benchmarks.pipeline import hardware
from squall.errors import UserError


def main() -> None:
    """Run the scenes, every detector on each, in as many processes as asked for."""
    parser = argparse.ArgumentParser(prog="make bench-detection", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="simulated scopes only, one seed, in seconds: checks the harness")
    parser.add_argument("--only", choices=(STOCKNET, SIMULATED), help="one scene: StockNet needs its data, simulated none")
    parser.add_argument("--seeds", type=int, default=5, help="shuffles with bursts on which figures are taken")
    parser.add_argument("--search", type=int, default=8, help="configurations that each detector may try")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--write", type=Path, help="write the JSON there and the tables into the .md of the same name")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.search, options.workers = 1, 1, 1
    console = Console(stderr=True, width=170)
    start = time.perf_counter()
    try:
        result, parts = run(options, console)
    except UserError as error:
        console.print(f"make bench-detection: {error}")
        sys.exit(error.exit_code)
    result["minutes"] = round((time.perf_counter() - start) / 60, 1)
    if options.write:
        report.write(options.write, result, parts)
    print(json.dumps(result))


def run(options: argparse.Namespace, console: Console) -> tuple[dict[str, Any], list[str]]:
    """Everything that was measured as JSON, and its tables in Markdown."""
    scenes = [QUICK] if options.quick else [options.only] if options.only else [STOCKNET, SIMULATED]
    found = _detectors(scenes, options, console)
    main_scene = found[scenes[0]]
    rates = [rate for rate in main_scene[SQUALL] if rate.replace(".", "", 1).isdigit()]
    result: dict[str, Any] = {
        "detectors": {name: said[rates[0]] for name, said in main_scene.items()},
        "at_rate": float(rates[0]),
        "scenes": {
            scene: {rate: {name: said[rate] for name, said in by_name.items()} for rate in rates}
            | {key: value for key, value in by_name[SQUALL].items() if key not in rates}
            | {"squall_less": {rate: _less(by_name, rate) for rate in rates}}
            for scene, by_name in found.items()
        },
        "any_order": promise.same_in_any_order(np.random.default_rng(1)),
        "silence": silence.silences(np.random.default_rng(1)),
        "cost": promise.cost_ms(np.random.default_rng(1)),
        "seeds": options.seeds,
        "search": options.search,
        "hardware": hardware(),
    }
    return result, _tables(result, console)


def _detectors(scenes: list[str], options: argparse.Namespace, console: Console) -> dict[str, dict[str, dict[str, Any]]]:
    """What each detector gave, by scene and name."""
    for scene in scenes:
        # What has to be read and scored once is there before the processes start.
        build(scene, options.seeds)
    jobs = [(scene, name) for scene in scenes for name in detectors(scene)]
    found: dict[str, dict[str, dict[str, Any]]] = {scene: {} for scene in scenes}
    with Progress(console=console, transient=True) as progress, ProcessPoolExecutor(options.workers) as pool:
        task = progress.add_task("detectors", total=len(jobs))
        waiting = {pool.submit(run_detector, scene, name, options.seeds, options.search): (scene, name) for scene, name in jobs}
        for future in as_completed(waiting):
            scene, name = waiting[future]
            found[scene][name] = future.result()
            progress.console.print(f"{scene}: {name} done")
            progress.advance(task)
    return {scene: {name: found[scene][name] for name in detectors(scene)} for scene in scenes}


def _less(by_name: dict[str, dict[str, Any]], rate: str) -> dict[str, dict[str, Any]]:
    """What Squall has beyond each rival at a rate."""
    ours = by_name[SQUALL][rate]
    return {name: report.less(ours, said[rate]) for name, said in by_name.items() if name not in (SQUALL, RANDOM)}


def _tables(result: dict[str, Any], console: Console) -> list[str]:
    parts = [f"{result['hardware']}; {result['seeds']} seeds, searches of {result['search']} configurations.\n"]

    def add(title: str, header: tuple[str, ...], body: Sequence[tuple[str, ...]]) -> None:
        report.show(console, title, header, body)
        parts.append(report.markdown(title, header, body))

    for scene, said in result["scenes"].items():
        about = f"{said['scopes']} scopes, {said['days']} judged days, {said['items']} items, "
        about += f"{said['empty_hours']:.1%} of scope-hours empty"
        for rate in (key for key in said if key.replace(".", "", 1).isdigit()):
            add(f"{scene} at {rate} false incidents a day ({about})", report.HEADER, report.rows(said[rate]))
            title = f"{scene} at {rate} false incidents a day: Squall less each rival, on the same bursts"
            add(title, report.LESS_HEADER, report.less_rows(said["squall_less"][rate]))
        add(
            f"{scene}: the budget on null data (± two standard errors)",
            ("budget a day", "false a day at the bound", "false a day, calibrated", "log10 of the calibration", "held"),
            [
                (
                    str(one["budget"]),
                    f"{one['bound_a_day']}",
                    f"{one['false_a_day']} ± {one['two_errors']}",
                    "too short a history" if one["calibration"] is None else f"{one['calibration']:.2f}",
                    "yes" if one["held"] else "NO",
                )
                for one in said["budgets"]
            ],
        )
        both = [said["at_budget_1"][kind] for kind in ("bound", "calibrated")]
        lines = [
            ("incidents a day on the raw data", *(str(one["raw_incidents_a_day"]) for one in both)),
            (
                "false share with true surges in 5 % of the scopes",
                *(f"{one['false_share']} ({one['false_share_incidents']} incidents in 20 draws)" for one in both),
            ),
            ("from a surge's first item to the incident, raw data, median", *(_minutes(one) for one in both)),
        ]
        if "falls" in both[0]:
            falls = [one["falls"] for one in both]
            lines += [
                ("real falls above 5 % in a session", *(str(one["falls"]) for one in falls)),
                (
                    "with an incident on the day or the day before",
                    *(f"{one['warned']} (by chance {one['expected']})" for one in falls),
                ),
                ("incidents in all, near a fall", *(f"{one['incidents']}, {one['incidents_near']}" for one in falls)),
            ]
        add(f"{scene}: Squall at a budget of 1 a day", ("figure", "at the bound", "calibrated"), lines)
    cost = result["cost"]
    add(
        "Squall's detector by itself",
        ("figure", "value"),
        [
            ("CPU a minute over 10,000 scopes", f"{cost['mean_ms']} ms mean, {cost['worst_ms']} ms worst"),
            ("writing its state, every six hours", f"{cost['state_ms']} ms, {cost['state_kib']} KiB"),
            ("CPU a minute with that", f"{cost['mean_with_state_ms']} ms mean"),
            *(
                (
                    f"`silence` at {level} in {silence.SCOPES} simulated scopes",
                    f"{one['false_a_day']} a day by chance, {one['median_hours']:g} h after all news has stopped (median)",
                )
                for level, one in result["silence"].items()
            ),
            ("same signals in any order and across a restart", "yes" if result["any_order"] else "NO"),
        ],
    )
    return parts


def _minutes(one: dict[str, Any]) -> str:
    minutes = one["median_minutes_to_alert"]
    return "–" if minutes is None else f"{minutes:g} min"


if __name__ == "__main__":
    main()
