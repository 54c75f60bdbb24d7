"""The guarded client and feeds against a real server on this machine that behaves, and one that does not."""

import asyncio
import gzip
import ipaddress
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import squall.safety
from pipelines.ingest.feeds import Feed, parse, plain_text, row_of
from pipelines.ingest.source import Batch
from squall.records import News, decode
from squall.safety import FetchError, GuardedClient, is_public, is_web_link, without_secrets
from squall.settings import HttpSettings

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LIMITS = HttpSettings(timeout_s=1, max_bytes=64 * 1024, max_redirects=3, allow_private=True)
ETAG = '"v1"'
RSS = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>Wire</title><link>https://wire.example/</link><description>d</description>
<item><title>Tesla &amp;amp; friends recall</title><link>/a/1</link><guid isPermaLink="false">w-1</guid>
  <pubDate>Mon, 02 Mar 2026 10:30:00 GMT</pubDate>
  <description>&lt;p&gt;First &lt;b&gt;words&lt;/b&gt;
  &lt;script&gt;alert(1)&lt;/script&gt; &amp;amp; more&lt;/p&gt;</description></item>
<item><title>No date here</title><link>javascript:alert(1)</link></item>
<item><description></description></item>
</channel></rss>"""
ATOM = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>Wire</title><id>urn:x</id><updated>2026-03-02T10:00:00Z</updated>
<entry><title type="html">Nokia &lt;i&gt;gains&lt;/i&gt;</title><id>tag:wire.example,2026:1</id>
  <link href="https://wire.example/n"/><updated>2026-03-02T11:00:00+02:00</updated><summary>Short.</summary></entry></feed>"""

BOMB = gzip.compress(bytes(20_000_000))


class Server:
    """Counts requests by path."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.hosts: list[str] = []
        self.base = ""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("GET", "/{name:.*}", self.answer)
        return app

    async def answer(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        self.asked.append(name)
        self.hosts.append(request.host)
        found = await getattr(self, name.partition("/")[0])(request)
        assert isinstance(found, web.StreamResponse)
        return found

    async def rss(self, request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == ETAG:
            return web.Response(status=304)
        headers = {"ETag": ETAG, "Last-Modified": "Mon, 02 Mar 2026 10:31:00 GMT"}
        return web.Response(text=RSS, content_type="application/rss+xml", headers=headers)

    async def atom(self, _request: web.Request) -> web.Response:
        return web.Response(text=ATOM, content_type="text/plain")

    async def zipped(self, _request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(RSS.encode()), headers={"Content-Encoding": "gzip"})

    async def bomb(self, _request: web.Request) -> web.Response:
        return web.Response(body=BOMB, headers={"Content-Encoding": "gzip"})

    async def cut(self, _request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(RSS.encode())[:-20], headers={"Content-Encoding": "gzip"})

    async def brotli(self, _request: web.Request) -> web.Response:
        return web.Response(body=b"whatever", headers={"Content-Encoding": "br"})

    async def endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 4096)

    async def drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"<")
            await asyncio.sleep(0.1)

    async def loop(self, _request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/loop"})

    async def moved(self, _request: web.Request) -> web.Response:
        return web.Response(status=301, headers={"Location": "/atom"})

    async def inward(self, request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"http://127.0.0.2:{request.url.port}/rss"})

    async def local(self, _request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "file:///etc/passwd"})

    async def gone(self, _request: web.Request) -> web.Response:
        return web.Response(status=410, text="gone")

    async def page(self, _request: web.Request) -> web.Response:
        return web.Response(text="<html><body>no feed</body></html>", content_type="text/html")

    async def broken(self, _request: web.Request) -> web.Response:
        return web.Response(text="<rss><channel><title>cut of", content_type="application/rss+xml")

    async def half(self, _request: web.Request) -> web.Response:
        return web.Response(text=RSS[: RSS.index("No date") + 4], content_type="text/xml", headers={"ETag": ETAG})

    async def image(self, _request: web.Request) -> web.Response:
        return web.Response(body=b"\x89PNG\r\n\x1a\n\0\0", content_type="image/png")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    runner = web.AppRunner(server.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[GuardedClient]:
    async with GuardedClient(LIMITS) as client:
        yield client


def feed(server: Server, name: str, client: GuardedClient) -> Feed:
    return Feed(f"{server.base}/{name}", client, 60, once=True, now=lambda: NOW)


async def batches(feed: Feed, position: dict[str, Any] | None = None) -> list[Batch]:
    return [batch async for batch in feed.batches(position or {})]


async def test_rss_becomes_news(server: Server, client: GuardedClient) -> None:
    [batch] = await batches(feed(server, "rss", client))
    first, second = (decode(send.value, News) for send in batch.sends)
    assert (first.title, first.body) == ("Tesla & friends recall", "First words & more")
    assert (first.guid, first.url, first.source) == ("w-1", f"{server.base}/a/1", "127.0.0.1")
    assert (first.published_at, first.fetched_at) == (datetime(2026, 3, 2, 10, 30, tzinfo=UTC), NOW)
    assert (second.title, second.url, second.published_at) == ("No date here", "", NOW)
    assert batch.bad == 0
    assert batch.last_item_at == NOW


async def test_an_entry_without_date_and_link_keeps_its_id_from_poll_to_poll(server: Server, client: GuardedClient) -> None:
    later = Feed(f"{server.base}/rss", client, 60, once=True, now=lambda: NOW.replace(hour=18))
    [one], [two] = await batches(feed(server, "rss", client)), await batches(later)
    assert [send.key for send in one.sends] == [send.key for send in two.sends]


async def test_atom_under_a_wrong_content_type(server: Server, client: GuardedClient) -> None:
    [batch] = await batches(feed(server, "atom", client))
    [article] = (decode(send.value, News) for send in batch.sends)
    assert (article.title, article.body, article.url) == ("Nokia gains", "Short.", "https://wire.example/n")
    assert article.published_at == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


async def test_what_has_not_changed_is_not_sent_again(server: Server, client: GuardedClient) -> None:
    [first] = await batches(feed(server, "rss", client))
    assert first.position == {"etag": ETAG, "modified": "Mon, 02 Mar 2026 10:31:00 GMT"}
    [second] = await batches(feed(server, "rss", client), dict(first.position))
    assert (second.sends, second.error, second.position) == ((), None, first.position)


@pytest.mark.parametrize("name", ["zipped", "moved"])
async def test_compressed_and_moved_feeds_are_read(server: Server, client: GuardedClient, name: str) -> None:
    [batch] = await batches(feed(server, name, client))
    assert batch.error is None
    assert batch.sends


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("bomb", "more than 65536 bytes"),
        ("endless", "more than 65536 bytes"),
        ("drip", "no complete answer within 1 s"),
        ("loop", "more than 3 redirects"),
        ("cut", "cut off"),
        ("brotli", "'br' was not asked for"),
        ("local", "only http and https"),
        ("gone", "status 410"),
        ("page", "no feed"),
        ("broken", "no feed"),
        ("image", "no feed"),
    ],
)
async def test_a_bad_feed_says_why_and_leaves_its_position(server: Server, client: GuardedClient, name: str, error: str) -> None:
    [batch] = await batches(feed(server, name, client), {"etag": "kept"})
    assert error in str(batch.error)
    assert (batch.sends, batch.position) == ((), {"etag": "kept"})


async def test_a_feed_that_breaks_off_gives_what_is_whole_and_is_asked_for_again(server: Server, client: GuardedClient) -> None:
    [batch] = await batches(feed(server, "half", client))
    titles = [decode(send.value, News).title for send in batch.sends]
    assert titles[0] == "Tesla & friends recall"
    assert batch.position == {}


async def test_redirects_are_bounded(server: Server, client: GuardedClient) -> None:
    with pytest.raises(FetchError):
        await client.get(f"{server.base}/loop")
    assert len(server.asked) == LIMITS.max_redirects + 1


async def test_nobody_listens(client: GuardedClient) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(FetchError, match="Connect"):
            await client.get(f"http://127.0.0.1:{free.getsockname()[1]}/rss")


async def test_private_addresses_are_refused_unless_allowed(server: Server) -> None:
    port = server.base.rpartition(":")[2]
    async with GuardedClient(LIMITS.model_copy(update={"allow_private": False})) as strict:
        for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"):
            with pytest.raises(FetchError, match=r"not public|Connect"):
                await strict.get(f"http://{host}:{port}/rss")
    assert server.asked == []


def as_if_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if 127.0.0.1 were an address of the open Internet, so that a real server can stand for one."""
    real = squall.safety.is_public
    monkeypatch.setattr(squall.safety, "is_public", lambda one: str(one) == "127.0.0.1" or real(one))


async def test_a_redirect_to_a_private_address_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    as_if_public(monkeypatch)
    async with GuardedClient(LIMITS.model_copy(update={"allow_private": False})) as strict:
        assert (await strict.get(f"{server.base}/atom")).status == 200
        with pytest.raises(FetchError, match=r"127\.0\.0\.2, which is not public"):
            await strict.get(f"{server.base}/inward")
    assert server.asked == ["atom", "inward"]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """Answers of a name server for names under .example, one after another; the last one stays."""
    answers: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def lookup(host: Any, port: Any, *more: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in answers:
            return real(host, port, *more, **options)
        found = answers[name].pop(0) if len(answers[name]) > 1 else answers[name][0]
        return [entry for address in found for entry in real(address, port, *more, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return answers


async def test_a_second_answer_of_the_name_server_does_not_count(
    server: Server, names: dict[str, list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_if_public(monkeypatch)
    port = server.base.rpartition(":")[2]
    names["wire.example"] = [["127.0.0.1"], ["127.0.0.2"]]
    async with GuardedClient(LIMITS.model_copy(update={"allow_private": False})) as strict:
        assert (await strict.get(f"http://wire.example:{port}/atom")).status == 200
        assert server.hosts == [f"wire.example:{port}"]
        with pytest.raises(FetchError, match="not public"):
            await strict.get(f"http://wire.example:{port}/atom")


async def test_one_private_address_among_several_is_enough_to_refuse(
    server: Server, names: dict[str, list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_if_public(monkeypatch)
    names["wire.example"] = [["127.0.0.1", "10.0.0.7"]]
    async with GuardedClient(LIMITS.model_copy(update={"allow_private": False})) as strict:
        with pytest.raises(FetchError, match=r"10\.0\.0\.7"):
            await strict.get(f"http://wire.example:{server.base.rpartition(':')[2]}/atom")
    assert server.asked == []


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server that is wire.example, and of a client that trusts it."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=wire.example"]
    command += ["-addext", "subjectAltName=DNS:wire.example", "-keyout", str(key), "-out", str(cert)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed, and the test needs a certificate")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(cert, key)
    return serving, ssl.create_default_context(cafile=str(cert))


async def test_a_certificate_is_checked_against_the_name_and_not_the_address(
    names: dict[str, list[list[str]]], certificate: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    names["wire.example"] = names["other.example"] = [["127.0.0.1"]]
    server = Server()
    runner = web.AppRunner(server.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificate[0]).start()
    port = runner.addresses[0][1]
    try:
        async with GuardedClient(LIMITS, certificate[1]) as trusting:
            assert (await trusting.get(f"https://wire.example:{port}/atom")).status == 200
            with pytest.raises(FetchError, match="CERTIFICATE_VERIFY_FAILED"):
                await trusting.get(f"https://other.example:{port}/atom")
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("127.8.8.8", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("2002:7f00:1::", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


def test_links() -> None:
    assert is_web_link("https://wire.example/a")
    odd = ("javascript:alert(1)", "data:text/html,x", "//wire.example", "file:///etc/passwd", "http://", "http://[", "")
    assert not any(is_web_link(link) for link in odd)
    assert without_secrets("https://me:secret@wire.example:8/x?y=1") == "https://wire.example:8/x?y=1"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p><p>b</p>", "a b"),
        ("x &lt; y &amp;&nbsp;z", "x < y & z"),
        ("<style>p{}</style>kept<SCRIPT src=x>gone", "kept"),
        ("5 < 6 and 7 > 2", "5 < 6 and 7 > 2"),
        ("a<br/>b<!-- no -->c", "a b c"),
        ("NUL\x00 byte", "NUL byte"),
        ("<img src=x onerror=alert(1)", ""),
    ],
)
def test_plain_text(html: str, text: str) -> None:
    assert plain_text(html) == text


def test_text_is_never_opened_as_a_path(tmp_path: Path) -> None:
    local = tmp_path / "feed.xml"
    local.write_text(RSS)
    with pytest.raises(FetchError, match="no feed"):
        parse(str(local).encode(), {})


def test_a_guid_is_no_link() -> None:
    entries, _ = parse(b'<rss version="2.0"><channel><item><title>T</title><guid>17</guid></item></channel></rss>', {})
    row = row_of(entries[0], "https://wire.example/", NOW)
    assert row is not None
    assert (row["guid"], row["url"]) == ("17", "")


def test_an_entry_with_impossible_fields_is_still_news() -> None:
    entry = {"title": "A title", "link": "http://[broken", "published_parsed": (0, 0, 0, 0, 0, 0, 0, 0, 0)}
    row = row_of(entry, "https://wire.example/", NOW)
    assert row is not None
    assert (row["title"], row["url"]) == ("A title", "")
