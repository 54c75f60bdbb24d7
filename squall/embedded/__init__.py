"""Where the broker and the database are: external by settings, else the embedded ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from squall.errors import UserError
from squall.settings import Settings


class ServiceError(UserError):
    """A service is not there or does not start; the message says what to do."""


@dataclass(frozen=True)
class Addresses:
    """Where the services answer."""

    bootstrap: str
    """Broker, `host:port[,host:port]`."""
    database_url: str
    """`postgresql://…`, password included."""


def addresses(settings: Settings) -> Addresses:
    """The addresses of services that run already: those of the settings, else those of a running `squall up`.

    Raises:
        ServiceError: neither is there.
    """
    raise ServiceError("no embedded services yet")


@contextmanager
def running(settings: Settings, *, broker: bool = True, database: bool = True) -> Iterator[Addresses]:
    """The same, but what is neither set nor running is started for the duration; an address not asked for may be empty."""
    raise ServiceError("no embedded services yet")
    yield
