"""Scopes: what a sum of mood or an incident is about, as a string and in parts, and what people call it. Pure."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

from squall.companies import SECTORS

Kind = Literal["company", "company/topic", "sector", "topic", "market"]
MARKET = "market"


class Scope(NamedTuple):
    """The parts of a scope; those that its kind does not have are None. `topic` is a slug."""

    kind: Kind
    company_id: str | None = None
    sector: str | None = None
    topic: str | None = None


def topic_slug(label: str) -> str:
    """A topic's label as scopes write it: `M&A | Investments` as `m-a-investments`."""
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")


def company_scope(company_id: str, topic: str | None = None) -> str:
    """Scope of a company, or of a company and a topic (a slug)."""
    return f"company:{company_id}/topic:{topic}" if topic else f"company:{company_id}"


def sector_scope(sector: str) -> str:
    """Scope of a sector."""
    return f"sector:{sector}"


def topic_scope(topic: str) -> str:
    """Scope of a topic (a slug)."""
    return f"topic:{topic}"


@lru_cache(maxsize=65536)
def parse_scope(scope: str) -> Scope:
    """The parts of a scope.

    Raises:
        ValueError: it is none.
    """
    if scope == MARKET:
        return Scope("market")
    kind, _, rest = scope.partition(":")
    company, separator, topic = rest.partition("/topic:")
    if kind == "company" and company and bool(separator) == bool(topic):
        return Scope("company/topic" if topic else "company", company_id=company, topic=topic or None)
    if kind == "sector" and rest:
        return Scope("sector", sector=rest)
    if kind == "topic" and rest:
        return Scope("topic", topic=rest)
    raise ValueError(f"{scope!r} is no scope: company:…, company:…/topic:…, sector:…, topic:… or {MARKET}")


def scope_name(scope: str, companies: Mapping[str, str], topics: Mapping[str, str]) -> str:
    """What people call a scope: `Facebook`, `Facebook · Earnings`, `Energy`, `Market`.

    Args:
        companies: name by id.
        topics: label by slug.
    """
    parts = parse_scope(scope)
    names = []
    if parts.company_id:
        names.append(companies.get(parts.company_id) or _words(parts.company_id))
    if parts.sector:
        names.append(SECTORS.get(parts.sector) or _words(parts.sector))
    if parts.topic:
        names.append(topics.get(parts.topic, "").replace("|", "/") or _words(parts.topic))
    return " · ".join(names) or "Market"


def _words(slug: str) -> str:
    return slug.replace("-", " ").capitalize()
