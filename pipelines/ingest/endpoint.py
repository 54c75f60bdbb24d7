"""The HTTP endpoint: news, prices and charts by POST, answered when the broker has acknowledged them."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from pipelines.ingest.bodies import (
    IMAGE_TYPES,
    JSON_TYPES,
    ItemError,
    Items,
    Problem,
    Read,
    bar_reader,
    chart_from,
    chart_reader,
    news_reader,
    read_json,
)
from pipelines.ingest.producer import DeliveryError, Producer
from squall.bearer import bears
from squall.errors import UsageError
from squall.settings import HttpSettings

log = structlog.get_logger("squall.ingest")
SOURCE = "http"
MIN_TOKEN = 16
ANSWER_LIMIT_S = 30.0


@dataclass
class Endpoint:
    """Handlers of the endpoint. `accepted` counts the items that the broker acknowledged."""

    producer: Producer
    settings: HttpSettings
    accepted: int = 0

    @staticmethod
    def check_token(settings: HttpSettings) -> str:
        """The token that requests must bear.

        Raises:
            UsageError: none is set, or one that can be guessed.
        """
        token = settings.token.get_secret_value() if settings.token else ""
        if not token:
            raise UsageError("the endpoint stays off without a token: set SQUALL_HTTP__TOKEN, e.g. to `openssl rand -hex 24`")
        if len(token) < MIN_TOKEN:
            raise UsageError(f"SQUALL_HTTP__TOKEN: at least {MIN_TOKEN} characters")
        return token

    def app(self) -> web.Application:
        """The application.

        Raises:
            UsageError: see `check_token`.
        """
        token = self.check_token(self.settings)
        app = web.Application(client_max_size=self.settings.max_bytes, middlewares=[_authorised(token)])
        app.add_routes(
            [
                web.get("/healthz", self.health),
                web.post("/v1/news", self.news),
                web.post("/v1/prices", self.prices),
                web.post("/v1/charts", self.charts),
            ]
        )
        return app

    async def health(self, _request: web.Request) -> web.Response:
        """Whether the endpoint runs; whether the broker answers is said by each request."""
        return web.json_response({"status": "ok", "accepted": self.accepted})

    async def news(self, request: web.Request) -> web.Response:
        """Articles, with the columns that files of news have."""
        return await self._take(await _json(request, news_reader(SOURCE, datetime.now(UTC))))

    async def prices(self, request: web.Request) -> web.Response:
        """Bars, with the columns that files of prices have."""
        return await self._take(await _json(request, bar_reader(SOURCE)))

    async def charts(self, request: web.Request) -> web.Response:
        """Charts as JSON with `image` in base64, or one raw image with `ticker` and `end` in the query."""
        if request.content_type not in IMAGE_TYPES:
            return await self._take(await _json(request, chart_reader(SOURCE), IMAGE_TYPES))
        image = await request.read()
        try:
            items = Items([await asyncio.to_thread(chart_from, request.query, image, SOURCE)], [])
        except ItemError as error:
            items = Items([], [Problem(0, "image", str(error))])
        return await self._take(items)

    async def _take(self, items: Items) -> web.Response:
        if items.problems:
            return web.json_response({"errors": [asdict(problem) for problem in items.problems]}, status=422)
        try:
            delivered = await asyncio.wait_for(asyncio.to_thread(self.producer.deliver, items.sends), ANSWER_LIMIT_S)
        except (DeliveryError, TimeoutError) as error:
            log.warning("not acknowledged", items=len(items.sends), error=str(error))
            return web.json_response(
                {"error": "the broker did not acknowledge, try again"}, status=503, headers={"Retry-After": "5"}
            )
        self.accepted += delivered.count
        return web.json_response({"accepted": delivered.count}, status=202)


class _MediaTypeError(Exception):
    """The body's content type is none that is read here."""


async def _json(request: web.Request, read: Read, also: tuple[str, ...] = ()) -> Items:
    if request.content_type not in JSON_TYPES:
        raise _MediaTypeError(f"content type must be one of {', '.join((*JSON_TYPES, *also))}")
    body = await request.read()
    return await asyncio.to_thread(read_json, body, request.content_type, read)


def _error(status: int, reason: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response({"error": reason}, status=status, headers=headers)


def _authorised(token: str) -> Middleware:
    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path != "/healthz" and not bears(request.headers.get("Authorization", ""), token):
            return _error(401, "bearer token missing or wrong", {"WWW-Authenticate": "Bearer"})
        try:
            return await handler(request)
        except web.HTTPRequestEntityTooLarge as error:
            return _error(413, str(error.text))
        except _MediaTypeError as error:
            return _error(415, str(error))

    return check


async def serve(endpoint: Endpoint, on_ready: Callable[[str], None]) -> None:
    """Serve until cancelled; requests in hand are answered first.

    Args:
        on_ready: called with the endpoint's address once it listens.
    """
    runner = web.AppRunner(endpoint.app(), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, endpoint.settings.host, endpoint.settings.port)
        try:
            await site.start()
        except OSError as error:
            raise UsageError(f"cannot listen on {endpoint.settings.host}:{endpoint.settings.port}: {error.strerror}") from None
        host, port = runner.addresses[0][:2]
        on_ready(f"http://{host}:{port}")
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        log.info("stopping")
    finally:
        await runner.cleanup()
