"""`/metrics`, which Prometheus and all that reads OpenMetrics can scrape. It asks for a token of its own, never for a log-in."""

import logging
from collections.abc import Iterable

from flask import Flask, Response, request
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from sqlalchemy.exc import SQLAlchemyError

from dashboard.metrics import families
from dashboard.queries import Reader
from dashboard.reads.system import read_system
from dashboard.server import advice
from squall.bearer import bears
from squall.settings import Settings

FRESH_S = 5.0
"""All who scrape within so long share one reading, also one that failed."""
OFF = "Metrics are off: SQUALL_DASHBOARD__METRICS_TOKEN turns them on.\n"
REFUSED = "Send the token that SQUALL_DASHBOARD__METRICS_TOKEN names as a header `Authorization: Bearer <token>`.\n"


class Collector:
    """Reads the system anew whenever what is kept is too old; implements prometheus_client's `Collector`."""

    def __init__(self, reader: Reader, settings: Settings) -> None:
        self._reader = reader
        self._settings = settings

    def collect(self) -> Iterable[Metric]:
        """The metrics of now, or of a moment ago."""
        return self._reader.shared("metrics", FRESH_S, self._read, old_s=FRESH_S)

    def _read(self) -> list[Metric]:
        try:
            return families(read_system(self._reader, self._settings.namespace, self._settings.detection))
        except SQLAlchemyError as error:
            logging.getLogger("dashboard").warning("no metrics: %s", advice(error))
            return families(None)


def add_metrics(server: Flask, settings: Settings, reader: Reader) -> None:
    """Add the route; without a token in the settings it answers 404."""
    registry = CollectorRegistry()
    registry.register(Collector(reader, settings))
    token = settings.dashboard.metrics_token

    @server.get("/metrics")
    def metrics() -> Response:
        if token is None:
            return Response(OFF, 404, mimetype="text/plain")
        if not bears(request.headers.get("Authorization", ""), token.get_secret_value()):
            return Response(REFUSED, 401, {"WWW-Authenticate": "Bearer"}, mimetype="text/plain")
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(registry), content_type=content_type, headers={"Cache-Control": "no-store"})
