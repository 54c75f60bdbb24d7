"""`python -m dashboard` serves the pages with gunicorn until it is told to stop."""

import sys
from typing import Any

from gunicorn.app.base import BaseApplication

from dashboard.access import secret_key
from squall.embedded import addresses
from squall.errors import UserError
from squall.settings import Settings, get_settings


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with one worker of several threads; the pages are made in the worker, after the fork."""

    def __init__(self, settings: Settings, database_url: str) -> None:
        self._settings = settings
        self._database_url = database_url
        super().__init__()

    def load_config(self) -> None:
        """Take everything from the settings, nothing from gunicorn's own files and variables."""
        dashboard = self._settings.dashboard
        options: dict[str, Any] = {
            "bind": f"{dashboard.host}:{dashboard.port}",
            "worker_class": "gthread",
            "workers": 1,
            "threads": dashboard.threads,
            "timeout": 60,
            "graceful_timeout": 3,
            "keepalive": 30,
            "loglevel": "warning",
            "control_socket_disable": True,
            "when_ready": announce,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The WSGI application."""
        from dashboard.app import create_app

        return create_app(self._settings, self._database_url).server


def announce(arbiter: Any) -> None:
    """Print where the pages are; port 0 is known only now."""
    for listener in arbiter.LISTENERS:
        host, port = listener.sock.getsockname()[:2]
        print(f"dashboard: http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)


def main() -> None:
    """Serve; a person's mistakes end in one line and a non-zero exit."""
    try:
        settings = get_settings()
        secret_key(settings)  # made before the fork, so that a home that cannot be written ends in one line
        url = settings.database.url
        database_url = url.get_secret_value() if url else addresses(settings).database_url
    except UserError as error:
        print(f"dashboard: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    Server(settings, database_url).run()


if __name__ == "__main__":
    main()
