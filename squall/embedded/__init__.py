"""Where the broker and the database are: external by settings, else the embedded ones."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from squall.embedded.errors import ServiceError
from squall.settings import Settings

__all__ = ["Addresses", "ServiceError", "addresses", "running"]

NOTHING_RUNS = (
    "nothing runs: `squall up` starts broker and database, or set SQUALL_KAFKA__BOOTSTRAP_SERVERS and SQUALL_DATABASE__URL"
)


@dataclass(frozen=True)
class Addresses:
    """Where the services answer."""

    bootstrap: str
    """Broker, `host:port[,host:port]`."""
    database_url: str
    """`postgresql://…`, password included."""
    broker_kind: str = "external"
    """`tansu`, `kafka 4.3.1` or `external`."""


def addresses(settings: Settings) -> Addresses:
    """The addresses of services that run already: those of the settings, else those of a running `squall up`.

    Raises:
        ServiceError: neither is there.
    """
    from squall.embedded import services
    from squall.embedded.state import Home

    bootstrap, url = _external(settings)
    kind = "external"
    if not bootstrap:
        found = services.wait_for(Home(settings), "broker")
        if found is None:
            raise ServiceError(NOTHING_RUNS)
        bootstrap, kind = found.address, found.kind
    if not url:
        found = services.wait_for(Home(settings), "database")
        if found is None:
            raise ServiceError(NOTHING_RUNS)
        url = found.address
    return Addresses(bootstrap, url, kind)


@contextmanager
def running(settings: Settings, *, broker: bool = True, database: bool = True) -> Iterator[Addresses]:
    """The same, but what is neither set nor running is started for the duration; an address not asked for may be empty.

    Raises:
        ServiceError: a service does not start.
    """
    from squall.embedded.services import lease
    from squall.embedded.supervisor import Supervisor

    bootstrap, url = _external(settings)
    kind = "external"
    supervisor = Supervisor()
    with ExitStack() as stack:
        if database and not url:
            url = stack.enter_context(lease(settings, "database", supervisor)).address
        if broker and not bootstrap:
            service = stack.enter_context(lease(settings, "broker", supervisor))
            bootstrap, kind = service.address, service.kind
        yield Addresses(bootstrap, url, kind)


def _external(settings: Settings) -> tuple[str, str]:
    url = settings.database.url
    return settings.kafka.bootstrap_servers or "", url.get_secret_value() if url else ""
