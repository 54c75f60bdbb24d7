"""What `squall status` tells: what a running `squall up` reports, probed and with the workers' own words."""

import time
from dataclasses import asdict
from typing import Any

from squall.embedded import broker, health, postgres
from squall.embedded.stack import MAINTAIN, serves
from squall.embedded.state import Home, is_alive, read_json
from squall.settings import Settings

SILENT_S = 10.0


def snapshot(settings: Settings) -> dict[str, Any] | None:
    """The state of what runs in this home, None where nothing does.

    Keys `pid, namespace, broker, broker_kind, database_url, dashboard, processes, healthy`. Each of `processes` has
    `name, pid, state, restarts, reason, log, healthy` and, for a worker, `health`.
    """
    home = Home(settings)
    about = read_json(home.state("up"))
    if about is None or not is_alive(about["pid"], about["started"]) or not home.lock("up").held():
        return None
    inside = settings.in_namespace(about["namespace"])
    for process in about["processes"]:
        process["healthy"] = _is_well(process, about, inside)
    about["broker_answers"] = about["broker_kind"] == "external" or broker.answers(about["broker"])
    about["healthy"] = about["broker_answers"] and all(process["healthy"] for process in about["processes"])
    return about


def _is_well(process: dict[str, Any], about: dict[str, Any], settings: Settings) -> bool:
    if process["state"] != "running" or not is_alive(process["pid"], process["started"]):
        return False
    name = process["name"]
    if name == "database":
        return postgres.answers(about["database_url"])
    if name == "dashboard":
        return serves(about["dashboard"])
    if name == "broker":
        return broker.answers(about["broker"])
    if name == MAINTAIN:
        return True
    said = health.read(settings, process["pid"])
    process["health"] = asdict(said) if said else None
    return said is not None and said.state == "running" and time.time() - said.at < SILENT_S
