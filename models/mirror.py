"""A mirror of the registry in MLflow, for people who look there. Postgres stays the truth: what fails here is only logged."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from squall.registry import Version
from squall.settings import MlflowSettings

NAME = "squall-text"
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
    made = client.post("/registered-models/create", json={"name": NAME})
    if made.status_code == httpx.codes.BAD_REQUEST and made.json().get("error_code") == "RESOURCE_ALREADY_EXISTS":
        numbers = _numbers(client)
    else:
        made.raise_for_status()
        numbers = {}
    for one in reversed(known):
        if one.version not in numbers:
            numbers[one.version] = _create(client, one)
        for alias in one.aliases:
            _ask(client, "/registered-models/alias", {"name": NAME, "alias": alias, "version": numbers[one.version]})


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


def _create(client: httpx.Client, one: Version) -> str:
    # MLflow takes no local folder as a source, so that the address stands in a tag.
    tags = {OURS: one.version, "squall_number": str(one.number), "url": one.url, "sha256": one.sha256, "by": one.created_by}
    tags |= {name: f"{value:.6g}" for name, value in one.metrics.items()}
    body = {"name": NAME, "source": f"squall:/{one.version}", "tags": [{"key": key, "value": tags[key]} for key in tags]}
    number: str = _ask(client, "/model-versions/create", body)["model_version"]["version"]
    return number


def _ask(client: httpx.Client, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    answer = client.post(path, json=body)
    answer.raise_for_status()
    said: dict[str, Any] = answer.json()
    return said
