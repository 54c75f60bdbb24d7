"""What the web server answers beside the pages: health, the pulse, chart images, security headers."""

import logging
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

from flask import Flask, Response, jsonify, make_response, request
from psycopg.errors import InvalidSchemaName, UndefinedColumn, UndefinedTable
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dashboard import theme
from dashboard.queries import Reader
from dashboard.ranges import instant
from dashboard.scopes import MARKET, path_scope
from squall.db.engine import TRANSIENT_CLASSES, error_class

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
IMAGES = {"image/png", "image/jpeg"}
NO_TABLES = (UndefinedTable, UndefinedColumn, InvalidSchemaName)


class Link:
    """Whether the database answers, and since when not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: datetime | None = None
        self._reason = ""

    def down(self, error: SQLAlchemyError) -> tuple[datetime, str]:
        """Note a failure; returns since when, and what to do in one sentence."""
        with self._lock:
            self._since = self._since or datetime.now(UTC)
            self._reason = advice(error)
            return self._since, self._reason

    def up(self) -> None:
        """Note an answer."""
        with self._lock:
            self._since = None


def advice(error: SQLAlchemyError) -> str:
    """What an error of the database means for the person at the screen; never the driver's own words, which hold addresses."""
    kind = error_class(error)
    if isinstance(error, DBAPIError) and isinstance(error.orig, NO_TABLES):
        return "The database has no tables for these pages yet. Run `squall db upgrade`."
    if kind == "28":
        return "The database refuses the log-in. Check SQUALL_DATABASE__URL."
    if kind not in TRANSIENT_CLASSES:
        logging.getLogger("dashboard").error("a query failed", exc_info=error)
        return "A query of this page failed, which is a fault of Squall's. The dashboard's log has the details."
    return "The database does not answer. Start it with `squall up`; this page goes on by itself."


def add_routes(server: Flask, reader: Reader, link: Link, script_hashes: Sequence[str]) -> None:
    """Add the routes, and headers to every answer."""
    policy = "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {' '.join(script_hashes)}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )

    @server.after_request
    def secure(response: Response) -> Response:
        response.headers.update(HEADERS)
        response.headers["Content-Security-Policy"] = policy
        return response

    @server.get("/healthz")
    def healthz() -> Response:
        try:
            reader.ping()
            database = "ok"
        except SQLAlchemyError as error:
            database = advice(error)
        return jsonify(status="ok", database=database)

    @server.get("/squall/tokens.css")
    def tokens() -> Response:
        return Response(theme.style_sheet(), mimetype="text/css", headers={"Cache-Control": "max-age=300"})

    @server.get("/squall/pulse")
    def pulse() -> Response:
        scope = path_scope(request.args.get("path", "")[:300]) or MARKET
        try:
            beat = reader.pulse(scope)
            newer = reader.newer(than) if (than := instant(request.args.get("newer"))) else 0
        except SQLAlchemyError as error:
            since, reason = link.down(error)
            answer = jsonify(up=False, since=since.isoformat(), reason=reason)
        else:
            link.up()
            answer = jsonify(
                up=True,
                clock=beat.clock.isoformat() if beat.clock else None,
                last=beat.last_item.isoformat() if beat.last_item else None,
                newer=newer,
                revisions=beat.revisions,
            )
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @server.get("/squall/chart/<chart_id>")
    def chart(chart_id: str) -> Response:
        try:
            found = reader.chart_image(chart_id[:100])
        except SQLAlchemyError as error:
            return make_response((advice(error), 503))
        if not found or found[1] not in IMAGES:
            return make_response(("no such chart", 404))
        return Response(found[0], mimetype=found[1], headers={"Cache-Control": "private, max-age=86400"})
