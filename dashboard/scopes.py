"""Scopes: what a mood belongs to, how it is called, and where its page is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from squall.scopes import MARKET, company_scope, scope_name, topic_scope, topic_slug

__all__ = ["MARKET", "Names", "company_scope", "path_scope", "pretty", "scope_path", "topic_slug"]


def pretty(text: str) -> str:
    """A slug as words, for what has no name in the tables."""
    words = text.replace("_", "-").replace("-", " ").strip()
    return words[:1].upper() + words[1:] if words else "Unknown"


@dataclass(frozen=True)
class Names:
    """Names of companies (with their tickers and sectors) by id, and labels of topics by slug."""

    companies: Mapping[str, str] = field(default_factory=dict)
    tickers: Mapping[str, str] = field(default_factory=dict)
    sectors: Mapping[str, str] = field(default_factory=dict)
    topics: Mapping[str, str] = field(default_factory=dict)

    def company(self, company_id: str | None) -> str:
        """Name of a company; `Market` for news that names none."""
        return self.scope(company_scope(company_id) if company_id else MARKET)

    def topic(self, label: str) -> str:
        """Name of a topic, given by its label or its slug."""
        return self.scope(topic_scope(topic_slug(label) or "none"))

    def scope(self, scope: str) -> str:
        """Name of a scope: `Apple`, `Apple · Earnings`, `Technology`, `Market`."""
        try:
            return scope_name(scope, self.companies, self.topics)
        except ValueError:
            return pretty(scope)


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
