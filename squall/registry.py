"""Which model versions there are and which one serves, as Postgres says it: nothing else is asked while workers run.

Each act is done in a transaction that the caller opens and commits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from squall.db.minutes import begin_epoch
from squall.errors import UserError

CHAMPION, CHALLENGER, NEXT = "champion", "challenger", "next"
MAX_REASON = 2000
QUIET_S = 60
"""A worker that has said nothing for so long is taken for gone."""


class RegistryError(UserError):
    """An act that cannot be done, or a version that is not there; the message is one line for a person."""


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version. `url` is the folder of its artifact, `sha256` that of its manifest's file."""

    number: int
    version: str
    url: str
    sha256: str
    manifest: Mapping[str, Any]
    metrics: Mapping[str, float]
    created_at: datetime
    created_by: str
    first_used_at: datetime | None
    aliases: Sequence[str] = field(default=())
    verdict: Mapping[str, Any] | None = None
    """What the gate said of it last, with its reasons and from what; None: it was never judged."""
    judged_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Promotion:
    """An entry of the audit; `kind` is `first`, `promote` or `rollback`."""

    at: datetime
    actor: str
    kind: str
    reason: str
    from_version: str | None
    to_version: str
    metrics: Mapping[str, Mapping[str, float]]
    verdict: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Serving:
    """What a worker serves, as it last said. `refused` is a version that it would not take, `error` why; `ready` is what it has
    opened for a promotion in hand."""

    worker: str
    version: str
    since: datetime
    pinned: bool
    refused: str | None
    error: str | None
    ready: str | None = None
    seen_at: datetime | None = None


_VERSIONS = """
SELECT v.number, v.version, v.url, v.sha256, v.manifest, v.metrics, v.created_at, v.created_by, v.first_used_at,
       ARRAY(SELECT alias FROM model_alias a WHERE a.version = v.version ORDER BY alias) AS aliases,
       v.verdict, v.judged_at
FROM model_version v WHERE v.number IS NOT NULL
"""
_REGISTER = """
INSERT INTO model_version AS old (version, manifest, first_used_at, number, url, sha256, metrics, created_at, created_by)
SELECT %(version)s, %(manifest)s::jsonb, NULL, coalesce(max(number), 0) + 1, %(url)s, %(sha256)s, %(metrics)s::jsonb,
       now(), %(actor)s FROM model_version
ON CONFLICT (version) DO UPDATE SET
    manifest = excluded.manifest, url = excluded.url, sha256 = excluded.sha256, metrics = old.metrics || excluded.metrics,
    number = coalesce(old.number, excluded.number), created_at = coalesce(old.created_at, excluded.created_at),
    created_by = coalesce(old.created_by, excluded.created_by)
"""
_ALIAS = """
INSERT INTO model_alias (alias, version) VALUES (%(alias)s, %(version)s)
ON CONFLICT (alias) DO UPDATE SET version = excluded.version, since = now()
"""
_NOTE = """
INSERT INTO promotion (actor, kind, reason, from_version, to_version, metrics, verdict)
VALUES (%(actor)s, %(kind)s, %(reason)s, %(old)s, %(new)s, %(metrics)s::jsonb, %(verdict)s::jsonb)
"""
_SERVES = """
INSERT INTO serving_model (worker, version, since, pinned, refused, error, ready)
VALUES (%(worker)s, %(version)s, %(since)s, %(pinned)s, %(refused)s, %(error)s, %(ready)s)
ON CONFLICT (worker) DO UPDATE SET version = excluded.version, since = excluded.since, pinned = excluded.pinned,
    refused = excluded.refused, error = excluded.error, ready = excluded.ready, seen_at = now()
"""


def versions(connection: Connection) -> list[Version]:
    """All registered versions, the newest first."""
    rows = connection.exec_driver_sql(f"{_VERSIONS} ORDER BY v.number DESC").mappings()
    return [Version(**row) for row in rows]


def find(connection: Connection, wanted: str) -> Version:
    """The version that has an alias, a number (`3`, `v3`), a name, or a name that begins so.

    Raises:
        RegistryError: there is none, or several names begin so.
    """
    known = versions(connection)
    exact = [one for one in known if wanted in (one.version, str(one.number), f"v{one.number}", *one.aliases)]
    found = exact or [one for one in known if one.version.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise RegistryError(f"several models begin with {wanted!r}: {', '.join(one.version for one in found)}")
    there = ", ".join(f"{one.number} ({one.version})" for one in known) or "none"
    raise RegistryError(f"no model {wanted!r}: there is {there}")


def registered(connection: Connection, version: str | None) -> Version | None:
    """The version of exactly this name; None: none is registered."""
    row = connection.exec_driver_sql(f"{_VERSIONS} AND v.version = %(version)s", {"version": version}).mappings().first()
    return Version(**row) if row else None


def champion(connection: Connection) -> Version | None:
    """The version that serves; None: none is registered yet."""
    return named(connection, CHAMPION)


def named(connection: Connection, alias: str) -> Version | None:
    """The version under an alias; None: there is none."""
    version = connection.exec_driver_sql("SELECT version FROM model_alias WHERE alias = %(alias)s", {"alias": alias}).scalar()
    return registered(connection, version)


def learnt_from(connection: Connection, dataset: str) -> str | None:
    """The newest registered version that was trained on the data set of this version; None: there is none."""
    wanted = "SELECT version FROM model_version WHERE manifest -> 'data' ->> 'version' = %(dataset)s ORDER BY number DESC LIMIT 1"
    return connection.exec_driver_sql(wanted, {"dataset": dataset}).scalar()


def hold(connection: Connection) -> None:
    """Let nobody else register or promote until this transaction ends."""
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('models ' || current_schema()))")


def register(
    connection: Connection,
    version: str,
    *,
    url: str,
    sha256: str,
    manifest: Mapping[str, Any],
    metrics: Mapping[str, float],
    actor: str,
) -> Version:
    """Register a version under the next number. One that is registered keeps its number, and metrics that are not given anew."""
    hold(connection)
    values = {"version": version, "url": url, "sha256": sha256, "actor": actor}
    values |= {"manifest": _json(manifest), "metrics": _json(metrics)}
    connection.exec_driver_sql(_REGISTER, values)
    return find(connection, version)


def keep_verdict(connection: Connection, verdict: Mapping[str, Any]) -> None:
    """Keep what the gate said with the challenger that it judged.

    Raises:
        RegistryError: that one is not registered.
    """
    if registered(connection, verdict["challenger"]) is None:
        raise RegistryError(f"{verdict['challenger']} is not registered: `squall models register` does that")
    values = {"verdict": _json(verdict), "version": verdict["challenger"]}
    connection.exec_driver_sql(
        "UPDATE model_version SET verdict = %(verdict)s::jsonb, judged_at = now() WHERE version = %(version)s", values
    )


def set_alias(connection: Connection, alias: str, version: str) -> None:
    """Name the version that may follow the champion, or that workers are to open for a promotion."""
    connection.exec_driver_sql(_ALIAS, {"alias": alias, "version": version})


def clear_next(connection: Connection) -> None:
    """End the promotion in hand."""
    connection.exec_driver_sql("DELETE FROM model_alias WHERE alias = %(alias)s", {"alias": NEXT})


def promote(
    connection: Connection,
    version: str,
    *,
    actor: str,
    reason: str,
    kind: str = "promote",
    verdict: Mapping[str, Any] | None = None,
) -> Promotion:
    """Make a version champion from the next free minute on, with its entry in the audit.

    Whoever calls this has verified its artifact, and waits for those who score: it is to be the last act of its transaction.

    Raises:
        RegistryError: there is no such version, it is champion, or the reason is empty or too long.
    """
    hold(connection)
    new, old = check_promotion(connection, version, reason)
    connection.exec_driver_sql(_ALIAS, {"alias": CHAMPION, "version": new.version})
    connection.exec_driver_sql(
        "DELETE FROM model_alias WHERE alias IN (%(challenger)s, %(next)s) AND version = %(version)s",
        {"challenger": CHALLENGER, "next": NEXT, "version": new.version},
    )
    known = {one.version: dict(one.metrics) for one in (old, new) if one}
    values = {"actor": actor, "kind": kind, "reason": reason.strip(), "old": old.version if old else None, "new": new.version}
    values |= {"metrics": _json(known), "verdict": None if verdict is None else _json(verdict)}
    connection.exec_driver_sql(_NOTE, values)
    begin_epoch(connection, new.version)
    return promotions(connection, 1)[0]


def check_promotion(connection: Connection, version: str, reason: str) -> tuple[Version, Version | None]:
    """The version that is to be champion, and the one that is.

    Raises:
        RegistryError: as `promote`.
    """
    if not reason.strip() or len(reason) > MAX_REASON or "\x00" in reason:
        raise RegistryError(f"the reason is empty, longer than {MAX_REASON} characters, or holds a NUL")
    new, old = find(connection, version), champion(connection)
    if old and old.version == new.version:
        raise RegistryError(f"{new.version} is champion already")
    return new, old


def promotions(connection: Connection, most: int = 1000) -> list[Promotion]:
    """The audit, the newest first."""
    columns = "at, actor, kind, reason, from_version, to_version, metrics, verdict"
    query = f"SELECT {columns} FROM promotion ORDER BY id DESC LIMIT %(most)s"
    return [Promotion(**row) for row in connection.exec_driver_sql(query, {"most": most}).mappings()]


def earlier_champions(audit: Sequence[Promotion]) -> list[str]:
    """Champions before the one that serves, the last one first; what was rolled back from is not among them.

    Args:
        audit: the newest first.
    """
    line: list[str] = []
    for one in reversed(audit):
        if one.kind == "rollback":
            while line and line[-1] != one.to_version:
                line.pop()
        if line[-1:] != [one.to_version]:
            line.append(one.to_version)
    return line[-2::-1]


def say_shadow(connection: Connection, version: str, worker: str, error: str | None) -> None:
    """Note that a challenger scores in the champion's shadow in a worker, or what it failed with."""
    query = (
        "INSERT INTO shadow_model (version, worker, error) VALUES (%(version)s, %(worker)s, %(error)s) "
        "ON CONFLICT (version) DO UPDATE SET worker = excluded.worker, error = excluded.error, at = now()"
    )
    connection.exec_driver_sql(query, {"version": version, "worker": worker, "error": error})


def say_serving(connection: Connection, said: Serving) -> None:
    """Note what a worker serves, and forget workers that have said nothing for long."""
    values = {name: getattr(said, name) for name in ("worker", "version", "since", "pinned", "refused", "error", "ready")}
    connection.exec_driver_sql(_SERVES, values)
    connection.exec_driver_sql(f"DELETE FROM serving_model WHERE seen_at < now() - interval '{QUIET_S} seconds'")


def serving(connection: Connection) -> list[Serving]:
    """What each worker that lives serves."""
    query = (
        "SELECT worker, version, since, pinned, refused, error, ready, seen_at FROM serving_model "
        f"WHERE seen_at >= now() - interval '{QUIET_S} seconds' ORDER BY worker"
    )
    return [Serving(**row) for row in connection.exec_driver_sql(query).mappings()]


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
