import hashlib
import hmac
import io
import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from squall.errors import UsageError
from squall.records import Alert, encode
from squall.settings import NotifySettings
from streams.alerts import group_key
from streams.channels import Channel, Console, open_channel
from streams.incident_store import add_outbox
from streams.notify import Notifier, pause
from streams.outbox_store import claim
from streams.runtime import Context
from tests.integration.stage import START, empty, stage

MINUTE = timedelta(minutes=1)
SECRET = "a secret"
GROUP = group_key({"rule": "surge"})


@pytest.fixture(scope="module")
def module_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with stage(tmp_path_factory.mktemp("notify"), namespace="notify") as context:
        yield context


@pytest.fixture
def context(module_context: Context) -> Context:
    empty(module_context)
    with module_context.engine.begin() as connection:
        insert = """
            INSERT INTO incident (id, rule, rule_version, scope, state, severity, opened_at, updated_at, surprise,
                                  peak_surprise, threshold, summary, inputs, evidence)
            VALUES (:id, 'surge', '1', :scope, 'firing', 'high', :at, :at, 4, 4, 3, 'four stories', '{}', '[]')
        """
        for key in ("boeing", "ibm"):
            connection.execute(text(insert), {"id": key, "scope": f"company:{key}", "at": START})
    return module_context


class Endpoint(BaseHTTPRequestHandler):
    """Answers as `answers` say: a status, an address to redirect to, or `hang` until the test is over."""

    answers: tuple[int | str, ...] = ()
    got: tuple[tuple[dict[str, str], bytes], ...] = ()
    over: threading.Event

    def do_POST(self) -> None:
        cls = type(self)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        cls.got += (({name.lower(): value for name, value in self.headers.items()}, body),)
        answer, cls.answers = (cls.answers[0], cls.answers[1:]) if cls.answers else (200, ())
        if answer == "hang":
            cls.over.wait(60)
            return
        self.send_response(answer if isinstance(answer, int) else 307)
        if isinstance(answer, str):
            self.send_header("Location", answer)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[tuple[type[Endpoint], str]]:
    class Fresh(Endpoint):
        answers = ()
        got = ()
        over = threading.Event()

    handler = Fresh
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}/hook"
    handler.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def rows(context: Context, query: str) -> list[dict[str, Any]]:
    with context.engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(query)).mappings()]


def loud(context: Context, **notify: Any) -> Context:
    chosen = NotifySettings(in_namespaces=True, **{"allow_private": True, "webhook_secret": SecretStr(SECRET), **notify})
    return Context(context.settings.model_copy(update={"notify": chosen}), context.engine)


def leave(
    context: Context, incident: str, number: int, state: str = "firing", *, channel: str = "webhook", group: str = GROUP,
    wait_s: int = 0, interval_s: int = 0,
) -> None:  # fmt: skip
    story = {"title": f"{incident.capitalize()} falls", "source": "Harbour Wire"}
    alert = Alert(
        incident_id=incident, rule="surge", scope=f"company:{incident}", scope_name=incident.capitalize(), state=state,
        severity="high", at=START + number * MINUTE, since=START, surprise=4, threshold=3,
        summary=f"{incident.capitalize()}: four stories", evidence=(story,) * 5,
    )  # fmt: skip
    with context.engine.begin() as connection:
        add_outbox(
            connection, incident, number, channel, encode(alert), group=group, wait_s=wait_s, interval_s=interval_s
        )  # fmt: skip


def hurry(context: Context, seconds: int = 3600) -> None:
    """Let time pass for the outbox."""
    with context.engine.begin() as connection:
        moved = (f"{name} = {name} - interval '{seconds} seconds'" for name in ("due_at", "delivered_at", "leased_until"))
        connection.execute(text(f"UPDATE outbox SET {', '.join(moved)}"))


def notifier(context: Context, url: str, **notify: Any) -> Notifier:
    chosen = loud(context, webhook_url=SecretStr(url), **notify)
    return Notifier(chosen, "webhook", open_channel(chosen.settings, "webhook"))


def state(context: Context) -> list[str]:
    query = "SELECT delivered_at, dead_at, incident_id, number FROM outbox ORDER BY id"
    words = {(True, False): "delivered", (False, True): "dead", (False, False): "waiting"}
    return [words[row["delivered_at"] is not None, row["dead_at"] is not None] for row in rows(context, query)]


def test_a_webhook_gets_what_alertmanagers_receivers_understand(context: Context, endpoint: tuple[type[Endpoint], str]) -> None:
    handler, url = endpoint
    leave(context, "boeing", 1)
    leave(context, "ibm", 1)
    leave(context, "ibm", 2, "resolved")
    notifier(context, url, link_base="https://squall.example/").run()
    [(headers, body)] = handler.got
    payload = json.loads(body)
    assert (payload["version"], payload["status"], payload["receiver"], payload["truncatedAlerts"]) == (
        "4",
        "firing",
        "webhook",
        0,
    )
    assert (payload["groupKey"], payload["groupLabels"]) == (GROUP, {"alertname": "surge"})
    assert payload["commonLabels"] == {"alertname": "surge", "severity": "high"}
    assert payload["externalURL"] == "https://squall.example"
    boeing, ibm = payload["alerts"]
    assert (boeing["status"], boeing["endsAt"]) == ("firing", "0001-01-01T00:00:00Z")
    assert (ibm["status"], ibm["startsAt"], ibm["endsAt"]) == (
        "resolved",
        "2015-03-02T00:00:00+00:00",
        "2015-03-02T00:02:00+00:00",
    )
    assert boeing["labels"] == {
        "alertname": "surge", "severity": "high", "scope": "company:boeing", "name": "Boeing", "incident": "boeing",
    }  # fmt: skip
    assert boeing["annotations"]["description"].splitlines() == ["Boeing falls (Harbour Wire)"] * 3
    assert boeing["generatorURL"] == "https://squall.example/incidents?sel=boeing"
    wanted = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["x-squall-signature"] == f"sha256={wanted}"
    assert headers["idempotency-key"] == "boeing-1"
    assert state(context) == ["delivered"] * 3


def test_a_failure_is_tried_again_with_the_same_key_and_keeps_the_order(
    context: Context, endpoint: tuple[type[Endpoint], str]
) -> None:
    handler, url = endpoint
    handler.answers = (500, 503)
    leave(context, "boeing", 1)
    teller = notifier(context, url)
    teller.run()
    leave(context, "boeing", 2, "resolved")
    teller.run()
    assert len(handler.got) == 1
    [first, second] = rows(context, "SELECT attempts, error, due_at > now() AS later FROM outbox ORDER BY number")
    assert (first["attempts"], first["later"], second["attempts"]) == (1, True, 0)
    assert first["error"] == "FetchError: status 500 Internal Server Error"
    for _ in range(2):
        hurry(context)
        teller.run()
    keys = [headers["idempotency-key"] for headers, _ in handler.got]
    assert keys == ["boeing-1"] * 3 + ["boeing-2"]
    assert len({body for _, body in handler.got[:3]}) == 1
    assert state(context) == ["delivered"] * 2


def test_after_the_last_attempt_it_is_dead_and_the_next_goes_out(context: Context, endpoint: tuple[type[Endpoint], str]) -> None:
    handler, url = endpoint
    handler.answers = (500, 500)
    leave(context, "boeing", 1)
    teller = notifier(context, url, max_attempts=2)
    teller.run()
    leave(context, "boeing", 2, "resolved")
    hurry(context)
    teller.run()
    assert state(context) == ["dead", "delivered"]
    assert [headers["idempotency-key"] for headers, _ in handler.got] == ["boeing-1", "boeing-1", "boeing-2"]


def test_an_endpoint_that_does_not_answer_is_given_up_in_time(context: Context, endpoint: tuple[type[Endpoint], str]) -> None:
    handler, url = endpoint
    handler.answers = ("hang",)
    leave(context, "boeing", 1)
    notifier(context, url, timeout_s=0.5).run()
    [row] = rows(context, "SELECT error, attempts FROM outbox")
    assert row == {"error": "FetchError: no complete answer within 0.5 s", "attempts": 1}
    assert len(handler.got) == 1


def test_no_redirect_is_followed_and_no_private_address_is_called(context: Context, endpoint: tuple[type[Endpoint], str]) -> None:
    handler, url = endpoint
    handler.answers = ("http://169.254.169.254/latest/meta-data",)
    leave(context, "boeing", 1)
    notifier(context, url).run()
    assert rows(context, "SELECT error FROM outbox") == [{"error": "FetchError: status 307: a redirect is not followed"}]
    hurry(context)
    notifier(context, url, allow_private=False).run()
    [row] = rows(context, "SELECT error FROM outbox")
    assert row["error"].endswith("is 127.0.0.1, which is not public; SQUALL_NOTIFY__ALLOW_PRIVATE=true allows such addresses")
    assert len(handler.got) == 1


def test_a_group_waits_goes_out_together_and_then_keeps_its_interval(
    context: Context, endpoint: tuple[type[Endpoint], str]
) -> None:
    handler, url = endpoint
    teller = notifier(context, url)
    leave(context, "boeing", 1, wait_s=30, interval_s=300)
    teller.run()
    assert list(handler.got) == []
    hurry(context, 20)
    leave(context, "ibm", 1, wait_s=30, interval_s=300)
    hurry(context, 11)
    teller.run()
    assert [len(json.loads(body)["alerts"]) for _, body in handler.got] == [2]
    leave(context, "ibm", 2, "resolved", wait_s=30, interval_s=300)
    leave(context, "boeing", 2, "resolved", group=group_key({"rule": "other"}))
    hurry(context, 60)
    teller.run()
    assert [json.loads(body)["groupLabels"]["alertname"] for _, body in handler.got] == ["surge", "other"]
    hurry(context, 241)
    teller.run()
    assert [json.loads(body)["status"] for _, body in handler.got] == ["firing", "resolved", "resolved"]


def test_what_an_incident_said_in_another_group_goes_first(context: Context, endpoint: tuple[type[Endpoint], str]) -> None:
    handler, url = endpoint
    teller = notifier(context, url)
    leave(context, "boeing", 1, wait_s=600)
    leave(context, "boeing", 2, "resolved", group=group_key({"rule": "renamed"}))
    teller.run()
    assert list(handler.got) == []
    hurry(context, 601)
    teller.run()
    assert [json.loads(body)["status"] for _, body in handler.got] == ["firing", "resolved"]


def test_who_died_while_telling_is_followed_by_another_with_the_same_key(context: Context) -> None:
    leave(context, "boeing", 1)
    with context.engine.begin() as connection:
        first = claim(connection, "webhook", 90)
    with context.engine.begin() as connection:
        assert claim(connection, "webhook", 90) is None
    leave(context, "ibm", 1)
    hurry(context, 91)
    with context.engine.begin() as connection:
        second = claim(connection, "webhook", 90)
    assert first is not None
    assert second is not None
    assert (second.key, second.payloads, second.attempts) == (first.key, first.payloads, 2)


def test_several_that_tell_at_once_tell_each_thing_once(context: Context, endpoint: tuple[type[Endpoint], str]) -> None:
    handler, url = endpoint
    for number in range(1, 13):
        leave(context, "boeing" if number % 2 else "ibm", number, group=group_key({"incident": str(number)}))
    failures: list[BaseException] = []

    def work(run: Callable[[], object]) -> None:
        try:
            run()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(notifier(context, url).run,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    notifier(context, url).run()
    assert failures == []
    keys = [headers["idempotency-key"] for headers, _ in handler.got]
    assert len(keys) == len(set(keys)) == 12
    for incident in ("boeing", "ibm"):
        numbers = [int(key.partition("-")[2]) for key in keys if key.startswith(incident)]
        assert numbers == sorted(numbers)


def test_apprise_delivers_and_its_failures_are_named(context: Context, endpoint: tuple[type[Endpoint], str]) -> None:
    handler, url = endpoint
    desk = SecretStr(url.replace("http://", "json://"))
    chosen = loud(context, apprise={"desk": desk, "odd": SecretStr("nothing://x")}, link_base="https://squall.example")
    handler.answers = (500,)
    leave(context, "boeing", 1, channel="desk")
    teller = Notifier(chosen, "desk", open_channel(chosen.settings, "desk"))
    teller.run()
    [row] = rows(context, "SELECT error, attempts FROM outbox")
    assert row["error"].startswith("DeliveryError: ")
    assert "500" in row["error"]
    hurry(context)
    teller.run()
    said = json.loads(handler.got[-1][1])
    assert (said["title"], said["type"]) == ("▲ HIGH firing: Boeing", "warning")
    assert said["message"].splitlines()[0] == "Boeing: four stories"
    assert said["message"].splitlines()[-1] == "https://squall.example/incidents?sel=boeing"
    assert state(context) == ["delivered"]

    leave(context, "ibm", 1, channel="odd")
    Notifier(chosen, "odd", open_channel(chosen.settings, "odd")).run()
    [row] = rows(context, "SELECT error FROM outbox WHERE channel = 'odd'")
    assert row["error"] == "DeliveryError: Apprise knows no such address"


def test_the_console_shows_each_alert_once_in_order(context: Context) -> None:
    for number, name in ((1, "firing"), (2, "resolved")):
        leave(context, "boeing", number, name, channel="console", group=group_key({"incident": "boeing"}))
    out = io.StringIO()
    console: Channel = Console(out)
    for _ in range(2):
        Notifier(loud(context), "console", console).run()
    lines = out.getvalue().splitlines()
    assert lines[0] == "▲ HIGH firing  2015-03-02 00:01 UTC  Boeing: four stories"
    assert lines[1:4] == ["    Boeing falls (Harbour Wire)"] * 3
    assert [line.split()[2] for line in lines if line.startswith("▲")] == ["firing", "resolved"]


def test_an_unknown_channel_is_named(context: Context) -> None:
    with pytest.raises(UsageError, match="no channel 'mail': there is console"):
        open_channel(context.settings, "mail")


def test_pauses_double_up_to_five_minutes() -> None:
    assert [pause(attempts) for attempts in (1, 2, 3, 12)] == [2, 4, 8, 300]
