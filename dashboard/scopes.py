"""Scopes: what a mood belongs to, how it is called, and where its page is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from squall.companies import SECTORS

MARKET = "market"


def slug(label: str) -> str:
    """`M&A | Investments` as `m-a-investments`."""
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")


def pretty(text: str) -> str:
    """A slug as words, for what has no name in the tables."""
    words = text.replace("_", "-").replace("-", " ").strip()
    return words[:1].upper() + words[1:] if words else "Unknown"


@dataclass(frozen=True)
class Names:
    """Names of companies (with their tickers and sectors) by id, and labels of topics as the models write them."""

    companies: Mapping[str, str] = field(default_factory=dict)
    tickers: Mapping[str, str] = field(default_factory=dict)
    sectors: Mapping[str, str] = field(default_factory=dict)
    topics: tuple[str, ...] = ()

    def company(self, company_id: str | None) -> str:
        """Name of a company; `Market` for news that names none."""
        if company_id is None:
            return "Market"
        return self.companies.get(company_id) or pretty(company_id)

    def labels(self, topic: str) -> list[str]:
        """The labels of a topic, given by its slug or a label."""
        return [label for label in self.topics if slug(label) == slug(topic)]

    def topic(self, topic: str) -> str:
        """Name of a topic, given by its slug or a label."""
        labels = self.labels(topic)
        name = labels[0] if labels else pretty(topic) if topic == slug(topic) else topic
        return name.replace("|", "/")

    def sector(self, sector: str) -> str:
        """Name of a sector."""
        return SECTORS.get(sector) or pretty(sector)

    def scope(self, scope: str) -> str:
        """Name of a scope: `Apple`, `Apple · Earnings`, `Technology`, `Market`."""
        if scope == MARKET:
            return "Market"
        first, _, second = scope.partition("/")
        kind, _, name = first.partition(":")
        words = {"company": self.company, "sector": self.sector, "topic": self.topic}.get(kind, pretty)(name)
        return f"{words} · {self.topic(second.partition(':')[2])}" if second else words


def scope_path(scope: str) -> str:
    """Address of a scope's page: `/company/apple`, `/scope/sector/technology`, `/scope/market`."""
    first = scope.partition("/")[0]
    if first == MARKET:
        return "/scope/market"
    kind, _, name = first.partition(":")
    return f"/company/{quote(name, safe='')}" if kind == "company" else f"/scope/{kind}/{quote(name, safe='')}"


def path_scope(path: str) -> str | None:
    """The scope of an address, or None where it is no scope's page."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts == ["scope", "market"]:
        return MARKET
    if len(parts) == 2 and parts[0] == "company" and parts[1]:
        return f"company:{parts[1]}"
    if len(parts) == 3 and parts[0] == "scope" and parts[1] in {"sector", "topic"} and parts[2]:
        return f"{parts[1]}:{parts[2]}"
    return None
