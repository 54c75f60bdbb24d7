"""The one settings object: read once, from the environment, a `.env` file and a folder of secrets.

Every value has a default that works on one machine. `squall config` prints what is in force and where it came from.
"""

import os
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from squall.errors import UsageError

PREFIX = "SQUALL_"
DELIMITER = "__"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
NAMESPACE_PATTERN = r"^[a-z][a-z0-9_-]{0,30}$"


class SettingsError(UsageError):
    """A setting is unknown or has a bad value; the message is one line for a person."""


class Section(BaseModel):
    """A group of settings, named in the environment as `SQUALL_<GROUP>__<FIELD>`."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class KafkaSettings(Section):
    """How to reach the broker, and how the topics are laid out."""

    bootstrap_servers: str | None = Field(None, description="host:port[,host:port]; unset: the embedded broker")
    partitions: int = Field(4, ge=1, le=1024, description="partitions of squall.news and squall.mentions")
    replication_factor: int = Field(1, ge=1, le=7)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_cafile: Path | None = Field(None, description="CA bundle that signs the brokers' certificates")


class DatabaseSettings(Section):
    """How to reach Postgres."""

    url: SecretStr | None = Field(None, description="postgresql://user:password@host/name; unset: the embedded server")
    pool_size: int = Field(5, ge=1, le=100)
    statement_timeout_s: int = Field(60, ge=1)


class ModelSettings(Section):
    """Which weights serve, and on what."""

    dir: Path | None = Field(
        None, description="folder of an artifact that serves whatever is promoted; unset: workers follow the champion"
    )
    text: Literal["small", "base"] = Field(
        "small", description="base: the process serves the base-sized text model, for GPUs, as if SQUALL_MODEL__DIR named it"
    )
    base: Path | None = Field(
        None, description="folder of the encoder's files for models on another one than the package's, e.g. of all-mpnet-base-v2"
    )
    store: str = Field("", description="where registered models are kept: a folder or fsspec address; empty: in SQUALL_HOME")
    follow_s: float = Field(3.0, ge=0.2, le=10, description="seconds between two looks of a worker for a new champion")
    shadow: bool = Field(False, description="let the challenger score in the champion's shadow, apart from mood and alerts")
    shadow_rate: float = Field(5.0, gt=0, le=1000, description="mentions a second that it scores at most, over all workers")
    impact: bool = Field(True, description="judge with the fused model how likely the price is to fall, beside each score")
    fused_dir: Path | None = Field(None, description="folder of the fused model's artifact; unset: the one that ships")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(0, ge=0, description="threads of the CPU engine; 0: the cores divided by the workers")
    batch_size: int = Field(32, ge=1, le=4096)

    @property
    def pinned(self) -> bool:
        """Whether the process serves one model, whatever is promoted."""
        return self.dir is not None or self.text == "base"


class MlflowSettings(Section):
    """A mirror of the registered models; Postgres says what serves, with or without it."""

    tracking_uri: str | None = Field(None, description="http://mlflow:5000; unset: off")
    timeout_s: float = Field(5.0, gt=0, le=60)


class StreamSettings(Section):
    """Batches and event time."""

    batch_max: int = Field(256, ge=1, le=10_000, description="messages in a micro-batch at most")
    batch_wait_s: float = Field(0.05, gt=0, le=5, description="how long a batch waits to fill")
    lateness_s: int = Field(300, ge=0, description="how late an item may be and still count for its minute")
    ahead_s: int = Field(600, ge=0, description="how far an item may lie ahead of its fetching")
    retention_days: int = Field(1095, ge=31, description="older items are refused, older partitions dropped")
    text_retention_days: int = Field(365, ge=31, description="texts of older articles are emptied, their scores kept")
    stall_s: int = Field(120, ge=10, description="a worker with lag and no progress for so long is restarted")
    source_budget: float = Field(
        0.1, gt=0, le=100, description="false incidents a day that silent sources may open, all together"
    )


class StorySettings(Section):
    """When two articles are one story."""

    similarity: float = Field(0.5, gt=0, lt=1, description="estimated Jaccard similarity from which articles are one story")
    window_h: int = Field(72, ge=1, description="how far apart in event time a repeat may be")


class DetectionSettings(Section):
    """The detector of surges: what it promises, and what past it goes by."""

    budget: float = Field(1.0, gt=0, le=1000, description="false incidents a day over all companies together")
    wide_budget: float = Field(0.2, gt=0, le=1000, description="the same over sectors, topics and the market")
    calibration: float | None = Field(
        None,
        ge=-6,
        le=6,
        description="log10 of what the alarm line of companies is multiplied by; unset: as `squall calibrate` measured last",
    )
    baseline_days: int = Field(28, ge=1, le=365)
    guard_days: int = Field(2, ge=0, le=14, description="days before today that are no part of the baseline")
    caution: float = Field(1.0, ge=0, le=4, description="normal quantile of what the level of a scope may be")
    exchange: str = Field("XNYS", description="ISO 10383 code of the exchange whose sessions and holidays shape the week")


class NotifySettings(Section):
    """Where alerts go. A rule names its channels: console, webhook, or one of `apprise`."""

    console: bool = Field(True, description="print alerts on the worker's standard output")
    webhook_url: SecretStr | None = Field(None, description="POST alerts there, in the form of Alertmanager's webhooks")
    webhook_secret: SecretStr | None = Field(None, description="signs what is posted: header X-Squall-Signature, HMAC-SHA256")
    apprise: dict[str, SecretStr] = Field(
        {}, description='channels by name, as Apprise URLs in JSON: {"desk": "slack://…", "mail": "mailto://…"}'
    )
    allow_private: bool = Field(False, description="let the webhook resolve to private and loopback addresses")
    timeout_s: float = Field(10.0, gt=0, le=60)
    link_base: str | None = Field(None, description="address of the dashboard in links; unset: where it listens")
    in_namespaces: bool = Field(False, description="also for replays, whose channels are off otherwise")
    lease_s: int = Field(90, ge=1, description="after so long without word a delivery is taken for lost; more than timeout_s")
    max_attempts: int = Field(8, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in self.apprise:
            if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name) or name in ("topic", "console", "webhook"):
                raise ValueError(f"channel {name!r}: use a lower-case name other than topic, console and webhook")
        if self.lease_s <= self.timeout_s:
            raise ValueError("lease_s must be longer than timeout_s")
        return self

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels that people read."""
        names = ["console"] if self.console else []
        return (*names, *(["webhook"] if self.webhook_url else []), *sorted(self.apprise))


class HttpSettings(Section):
    """The guarded client for feeds, and the endpoint that receives items."""

    timeout_s: float = Field(20.0, gt=0)
    max_bytes: int = Field(8 * 1024 * 1024, ge=1024)
    max_redirects: int = Field(4, ge=0, le=20)
    allow_private: bool = Field(False, description="let feeds resolve to private and loopback addresses")
    host: str = "127.0.0.1"
    port: int = Field(8060, ge=0, le=65535)
    token: SecretStr | None = Field(None, description="bearer token of the ingest endpoint; without it the endpoint stays off")
    feeds: Annotated[tuple[str, ...], Field(description="RSS and Atom addresses, as a JSON list")] = ()
    poll_s: int = Field(60, ge=5)


class DashboardSettings(Section):
    """The web pages."""

    host: str = "127.0.0.1"
    port: int = Field(8050, ge=0, le=65535, description="0: any free port")
    threads: int = Field(8, ge=1)
    login: bool = Field(True, description="ask who comes; false only on a loopback address")
    secret: SecretStr | None = Field(
        None, min_length=32, description="signs cookies; unset: one of its own, made once and kept in SQUALL_HOME"
    )
    session_h: float = Field(12, gt=0, le=24 * 30, description="hours after which a person must log in again")
    metrics_token: SecretStr | None = Field(
        None, min_length=16, description="bearer token with which Prometheus reads /metrics; without it there is no such page"
    )
    proxied: bool = Field(
        False, description="an HTTPS proxy stands before it: its X-Forwarded-For and -Proto are believed, cookies are Secure"
    )

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if not self.login and self.host not in LOOPBACK:
            raise ValueError(f"LOGIN=false works only on a loopback address, and HOST is {self.host}")
        return self


class OidcSettings(Section):
    """Log-in by an OpenID Connect provider, beside the passwords."""

    issuer: str | None = Field(None, description="https://login.example.com/realm; unset: off")
    client_id: str = ""
    client_secret: SecretStr | None = None
    label: str = Field("single sign-on", description="what the log-in page calls it")
    role: Literal["viewer", "analyst", "admin"] = Field("viewer", description="of one who comes for the first time")
    role_claim: str = Field(
        "", description="claim that names the role at each log-in (viewer, analyst, admin, or a list; the highest counts)"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.issuer and not self.client_id:
            raise ValueError("an ISSUER needs a CLIENT_ID")
        return self


class PriceSettings(Section):
    """Daily bars that are fetched after each close."""

    tickers: Annotated[tuple[str, ...], Field(description="as Yahoo writes them, as a JSON list")] = ()
    exchange: str = Field("XNYS", description="calendar that says on which days there is a close, and when")


class Settings(BaseSettings):
    """Everything that can be set. Frozen; get it by `get_settings()`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
        env_file=".env",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        protected_namespaces=(),
        populate_by_name=True,
    )

    home: Path = Field(Path(".squall"), description="all state of the embedded services")
    namespace: str = Field("", pattern=rf"^$|{NAMESPACE_PATTERN}", description="topic prefix and schema of a replay; empty: live")
    data_dir: Path = Field(Path("../shared/data"), description="data sets for training and evaluation")
    companies_file: Path | None = Field(None, description="companies of your own, beside the table that ships")
    rules_file: Path | None = Field(None, description="rules that a new namespace begins with; unset: those that ship")
    kafka_home: Path | None = Field(
        None,
        validation_alias=AliasChoices("SQUALL_KAFKA_HOME", "KAFKA_HOME"),
        description="an Apache Kafka distribution to run as the embedded broker",
    )
    workers: int = Field(1, ge=1, le=64, description="worker processes that `squall up` runs")
    maintain: bool = Field(True, description="`squall up` and `squall maintain` run the scheduled tasks; false: Airflow does")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    kafka: KafkaSettings = KafkaSettings()
    database: DatabaseSettings = DatabaseSettings()
    model: ModelSettings = ModelSettings()
    mlflow: MlflowSettings = MlflowSettings()
    stream: StreamSettings = StreamSettings()
    story: StorySettings = StorySettings()
    detection: DetectionSettings = DetectionSettings()
    notify: NotifySettings = NotifySettings()
    http: HttpSettings = HttpSettings()
    dashboard: DashboardSettings = DashboardSettings()
    oidc: OidcSettings = OidcSettings()
    prices: PriceSettings = PriceSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the base class names it
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment, then `.env`, then the folder that SQUALL_SECRETS_DIR names (one file a secret)."""
        if isinstance(dotenv_settings, DotEnvSettingsSource):
            # The file is shared with other programs, such as docker compose: only our names in it can be wrong.
            own = {
                name: value for name, value in dotenv_settings.env_vars.items() if name.upper().startswith((PREFIX, "KAFKA_HOME"))
            }
            dotenv_settings.env_vars = own
        secrets = os.environ.get("SQUALL_SECRETS_DIR")
        if not secrets:
            return init_settings, env_settings, dotenv_settings
        files = NestedSecretsSettingsSource(
            file_secret_settings,
            secrets_dir=secrets,
            secrets_prefix=PREFIX,
            secrets_nested_delimiter=DELIMITER,
            secrets_dir_missing="error",
        )
        # An empty file is no value, as an empty variable is none.
        files.env_vars = {name: value for name, value in files.env_vars.items() if value}
        return init_settings, env_settings, dotenv_settings, files

    @property
    def pg_schema(self) -> str:
        """Postgres schema of the namespace."""
        return f"squall_{self.namespace.replace('-', '_')}" if self.namespace else "squall"

    def in_namespace(self, namespace: str) -> "Settings":
        """The same settings for another namespace.

        Raises:
            SettingsError: the name is not a lower-case word of at most 31 characters.
        """
        if namespace and not re.match(NAMESPACE_PATTERN, namespace):
            raise SettingsError(f"namespace {namespace!r}: use a lower-case letter, then letters, digits, - or _ (31 at most)")
        return self.model_copy(update={"namespace": namespace})


def known_variables() -> dict[str, tuple[str, ...]]:
    """Environment variable -> path of the field that it sets."""
    names: dict[str, tuple[str, ...]] = {"KAFKA_HOME": ("kafka_home",)}
    for name, field in Settings.model_fields.items():
        names[f"{PREFIX}{name.upper()}"] = (name,)
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            for inner in section.model_fields:
                names[f"{PREFIX}{name.upper()}{DELIMITER}{inner.upper()}"] = (name, inner)
    return names


def _unknown_variables() -> list[str]:
    known = {*known_variables(), "SQUALL_SECRETS_DIR"}
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=True)[0]
    path = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        name = DELIMITER.join(path).upper()
        name = name if name.startswith(PREFIX) else PREFIX + name
        return f"{name}: unknown setting; `squall config --help` says how settings are named"
    fitting = [name for name, where in known_variables().items() if list(where) == path[: len(where)]]
    name = fitting[-1] if fitting else PREFIX + DELIMITER.join(path).upper()
    return f"{name}: {problem['msg']}"


@cache
def get_settings() -> Settings:
    """Read the settings, once.

    Raises:
        SettingsError: with one line that names the variable and what is wrong.
    """
    if unknown := _unknown_variables():
        raise SettingsError(f"{unknown[0]}: unknown setting; `squall config --help` says how settings are named")
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(_first_problem(error)) from None
    except Exception as error:
        raise SettingsError(str(error).splitlines()[0]) from None


def plain(value: Any) -> str:
    """A value as `squall config` shows it: secrets masked."""
    if isinstance(value, SecretStr):
        return "********"
    return "" if value is None else str(value)
