"""A mirror of the registry in MLflow, for people who look there. Postgres stays the truth: what fails here is only logged."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from squall.registry import Version
from squall.settings import MlflowSettings

NAME = "squall-text"
"""Of MLflow's registered model, and of the experiment that holds a run a version."""
OURS = "squall_version"
"""Tag of MLflow's version that names ours."""
log = logging.getLogger("squall.models")


def mirror(settings: MlflowSettings, known: Sequence[Version]) -> bool:
    """Bring MLflow's registered model to what is registered here; returns whether that was asked for and done.

    Args:
        known: all versions, the newest first.
    """
    if not settings.tracking_uri:
        return False
    base = f"{settings.tracking_uri.rstrip('/')}/api/2.0/mlflow"
    try:
        with httpx.Client(base_url=base, timeout=settings.timeout_s) as client:
            _bring(client, known)
    except (httpx.HTTPError, KeyError, ValueError) as error:
        log.warning("MLflow was not told: %s: %s", type(error).__name__, error)
        return False
    return True


def _bring(client: httpx.Client, known: Sequence[Version]) -> None:
    if _made(client.post("/registered-models/create", json={"name": NAME})):
        numbers, stale = {}, set()
    else:
        numbers, stale = _numbers(client), _aliases(client)
    for one in reversed(known):
        if one.version not in numbers:
            numbers[one.version] = _create(client, one)
        for alias in one.aliases:
            stale.discard(alias)
            _ask(client, "POST", "/registered-models/alias", name=NAME, alias=alias, version=numbers[one.version])
    for alias in sorted(stale):
        _ask(client, "DELETE", "/registered-models/alias", name=NAME, alias=alias)


def _made(answer: httpx.Response) -> bool:
    """Whether it was made; False: it is there.

    Raises:
        HTTPStatusError: neither.
    """
    if answer.status_code == httpx.codes.BAD_REQUEST and answer.json().get("error_code") == "RESOURCE_ALREADY_EXISTS":
        return False
    answer.raise_for_status()
    return True


def _numbers(client: httpx.Client) -> dict[str, str]:
    """MLflow's numbers of our versions."""
    found: dict[str, str] = {}
    page: dict[str, Any] = {"filter": f"name = '{NAME}'"}
    while True:
        answer = client.get("/model-versions/search", params=page)
        answer.raise_for_status()
        said = answer.json()
        for each in said.get("model_versions", ()):
            tags = {tag["key"]: tag["value"] for tag in each.get("tags", ())}
            if OURS in tags:
                found[tags[OURS]] = each["version"]
        if not said.get("next_page_token"):
            return found
        page["page_token"] = said["next_page_token"]


def _aliases(client: httpx.Client) -> set[str]:
    answer = client.get("/registered-models/get", params={"name": NAME})
    answer.raise_for_status()
    return {each["alias"] for each in answer.json()["registered_model"].get("aliases", ())}


def _create(client: httpx.Client, one: Version) -> str:
    # MLflow takes no local folder as a source, so that the address stands in a tag.
    tags = {OURS: one.version, "squall_number": str(one.number), "url": one.url, "sha256": one.sha256, "by": one.created_by}
    tags |= {name: f"{value:.6g}" for name, value in one.metrics.items()}
    source = f"squall:/{one.version}"
    made = _ask(client, "POST", "/model-versions/create", name=NAME, source=source, run_id=_track(client, one), tags=_pairs(tags))
    number: str = made["model_version"]["version"]
    return number


def _track(client: httpx.Client, one: Version) -> str:
    """Make a run of a version's training: its settings and data as parameters, what was measured as curves; returns its id."""
    _made(client.post("/experiments/create", json={"name": NAME}))
    found = client.get("/experiments/get-by-name", params={"experiment_name": NAME})
    found.raise_for_status()
    at = round(one.created_at.timestamp() * 1000)
    experiment = found.json()["experiment"]["experiment_id"]
    tags = _pairs({OURS: one.version, "git": str(one.manifest.get("git", ""))})
    made = _ask(client, "POST", "/runs/create", experiment_id=experiment, run_name=one.version, start_time=at, tags=tags)
    run: str = made["run"]["info"]["run_id"]
    metrics = [{"key": name, "value": value, "step": step, "timestamp": at} for (name, step), value in _measured(one).items()]
    _ask(client, "POST", "/runs/log-batch", run_id=run, metrics=metrics, params=_pairs(_parameters(one.manifest)))
    _ask(client, "POST", "/runs/update", run_id=run, status="FINISHED", end_time=at)
    return run


def _parameters(manifest: Mapping[str, Any]) -> dict[str, str]:
    """What a model was made with, as words; what is empty says nothing."""
    data = {f"data_{name}": value for name, value in manifest.get("data", {}).items() if not isinstance(value, Mapping)}
    return {name: str(value) for name, value in {**manifest.get("recipe", {}), **data}.items() if value not in ("", None)}


def _measured(one: Version) -> dict[tuple[str, int], float]:
    """What was measured, by name and epoch; what is known besides stands at the last epoch."""
    epochs: Sequence[Mapping[str, Any]] = one.manifest.get("held_out") or [{}]
    last = int(epochs[-1].get("epoch", 0))
    figures = {(name, int(epoch.get("epoch", 0))): value for epoch in epochs for name, value in epoch.items() if name != "epoch"}
    numbers = {key: float(value) for key, value in figures.items() if isinstance(value, int | float)}
    return {(name, last): value for name, value in one.metrics.items()} | numbers


def _pairs(named: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": name, "value": value} for name, value in named.items()]


def _ask(client: httpx.Client, method: str, path: str, **body: Any) -> dict[str, Any]:
    answer = client.request(method, path, json=body)
    answer.raise_for_status()
    said: dict[str, Any] = answer.json()
    return said
