"""Guards for what comes from outside: addresses, downloads, images."""

import asyncio
import ipaddress
import socket
import ssl
import warnings
import zlib
from collections.abc import Awaitable, Mapping
from io import BytesIO
from types import TracebackType
from typing import NamedTuple, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

import httpx

from squall.settings import HttpSettings

T = TypeVar("T")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

SCHEMES = ("http", "https")
REDIRECTS = (301, 302, 303, 307, 308)
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
MAX_IMAGE_BYTES = 512 * 1024
MAX_IMAGE_SIDE = 4096
MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg"}


class UnsafeError(ValueError):
    """Something from outside is refused; the message is one line that says why."""


class ImageInfo(NamedTuple):
    """A checked image: its media type, width and height in pixels."""

    media_type: str
    width: int
    height: int


def check_image(image: bytes) -> ImageInfo:
    """Verify a PNG or JPEG image; its size is taken from the header before anything is decoded.

    Raises:
        UnsafeError: too many bytes or pixels, another format, or damaged.
    """
    from PIL import Image, UnidentifiedImageError

    if len(image) > MAX_IMAGE_BYTES:
        raise UnsafeError(f"image of {len(image)} bytes, {MAX_IMAGE_BYTES} at most")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(BytesIO(image), formats=tuple(MEDIA_TYPES)) as opened:
                if max(opened.size) > MAX_IMAGE_SIDE:
                    raise UnsafeError(_too_large(*opened.size))
                opened.load()
                return ImageInfo(MEDIA_TYPES[str(opened.format)], *opened.size)
    except UnsafeError:
        raise
    except UnidentifiedImageError:
        raise UnsafeError("neither a PNG nor a JPEG image") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise UnsafeError(f"image too large: {error}") from None
    except Exception as error:
        raise UnsafeError(f"damaged image: {error}") from None


def _too_large(width: int, height: int) -> str:
    return f"image of {width}x{height} pixels, {MAX_IMAGE_SIDE}x{MAX_IMAGE_SIDE} at most"


class Fetched(NamedTuple):
    """An answer: its status, the address it came from after redirects, headers in lower case, and the decompressed body."""

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes


class FetchError(UnsafeError):
    """A download failed or was refused; the message is one line that says why."""


def is_web_link(url: str) -> bool:
    """Whether a link may be shown and followed: http or https, with a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme.lower() in SCHEMES and bool(parts.hostname)
    except ValueError:
        return False


def without_secrets(url: str) -> str:
    """An address without user name and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def is_public(address: Address) -> bool:
    """Whether an address is one of the open Internet, also after what is embedded in it."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address.teredo or (inner is not None and not is_public(inner)):
            return False
        if inner is not None:
            return True
        if address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


class GuardedClient:
    """Fetches from addresses that others chose: only public ones, and within the settings' size, time and redirect limits.

    Used as an asynchronous context manager. `verify` takes the place of the public certificate authorities,
    and `private_setting` is the setting that a refusal of a private address names.
    """

    def __init__(
        self,
        settings: HttpSettings,
        verify: ssl.SSLContext | None = None,
        private_setting: str = "SQUALL_HTTP__ALLOW_PRIVATE",
    ) -> None:
        self._settings = settings
        self._client = httpx.AsyncClient(
            transport=_CheckedTransport(
                allow_private=settings.allow_private, verify=verify or True, private_setting=private_setting
            ),
            timeout=settings.timeout_s,
            trust_env=False,
            headers={"User-Agent": "squall", "Accept-Encoding": "gzip"},
        )

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Fetched:
        """Fetch an address; a status of 400 and above is an error, 304 is not.

        Raises:
            FetchError: it cannot be fetched, or must not be.
        """
        return await self._in_time(self._follow(url, headers or {}))

    async def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> None:
        """Post to an address; no redirect is followed, and anything but a 2xx answer is an error.

        Raises:
            FetchError: it was not taken, or must not be posted there.
        """
        await self._in_time(self._post(url, content, headers))

    async def _post(self, url: str, content: bytes, headers: Mapping[str, str]) -> None:
        if not is_web_link(url):
            raise FetchError("only http and https addresses are posted to")
        async with self._client.stream("POST", url, content=content, headers=dict(headers)) as response:
            if response.status_code in REDIRECTS:
                raise FetchError(f"status {response.status_code}: a redirect is not followed")
            if not response.is_success:
                raise FetchError(f"status {response.status_code} {response.reason_phrase}".strip())

    async def _in_time(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await work
        except TimeoutError:
            raise FetchError(f"no complete answer within {self._settings.timeout_s:g} s") from None
        except httpx.InvalidURL as error:
            raise FetchError(f"bad address: {error}") from None
        except httpx.HTTPError as error:
            raise FetchError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__) from None

    async def _follow(self, url: str, headers: Mapping[str, str]) -> Fetched:
        for _ in range(self._settings.max_redirects + 1):
            if not is_web_link(url):
                raise FetchError("only http and https addresses are fetched")
            async with self._client.stream("GET", url, headers=dict(headers)) as response:
                if response.status_code in REDIRECTS and "location" in response.headers:
                    url = str(response.url.join(response.headers["location"]))
                    continue
                if response.status_code >= 400:
                    raise FetchError(f"status {response.status_code} {response.reason_phrase}".strip())
                return Fetched(response.status_code, url, dict(response.headers), await self._body(response))
        raise FetchError(f"more than {self._settings.max_redirects} redirects")

    async def _body(self, response: httpx.Response) -> bytes:
        limit = self._settings.max_bytes
        encoding = response.headers.get("content-encoding", "identity").lower()
        if encoding not in ("identity", "gzip", ""):
            raise FetchError(f"content encoding {encoding!r} was not asked for")
        unzip = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
        body = bytearray()
        async for chunk in response.aiter_raw():
            try:
                # One byte more than allowed is decompressed at most, however small the bomb.
                body += unzip.decompress(chunk, limit + 1 - len(body)) if unzip else chunk
            except zlib.error as error:
                raise FetchError(f"bad gzip data: {error}") from None
            if len(body) > limit:
                raise FetchError(f"more than {limit} bytes")
        if unzip and not unzip.eof:
            raise FetchError("gzip data was cut off")
        return bytes(body)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._client.aclose()


class _CheckedTransport(httpx.AsyncBaseTransport):
    """Resolves a host itself, checks every address it has, and connects to a checked one: a second answer of the name server
    never counts. Connections are not kept, since they are known by address and not by the host that TLS was agreed with."""

    def __init__(self, *, allow_private: bool, verify: ssl.SSLContext | bool, private_setting: str) -> None:
        self._allow_private = allow_private
        self._private_setting = private_setting
        self._inner = httpx.AsyncHTTPTransport(verify=verify, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode("ascii")
        problem: httpx.HTTPError = httpx.ConnectError(f"{host} has no address")
        for address in await self._checked_addresses(host, request.url.port):
            pinned = httpx.Request(
                request.method,
                request.url.copy_with(host=str(address)),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
            try:
                return await self._inner.handle_async_request(pinned)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                problem = error
        raise problem

    async def _checked_addresses(self, host: str, port: int | None) -> list[Address]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(f"{host}: {getattr(error, 'strerror', None) or error}") from None
        addresses = list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))
        refused = [address for address in addresses if not (self._allow_private or is_public(address))]
        if refused:
            raise FetchError(f"{host} is {refused[0]}, which is not public; {self._private_setting}=true allows such addresses")
        return addresses

    async def aclose(self) -> None:
        await self._inner.aclose()
