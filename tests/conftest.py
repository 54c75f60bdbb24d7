import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder for SQUALL_HOME: a short path, since a Unix socket lies in it, which Postgres' own user may enter."""
    path = Path(tempfile.mkdtemp(prefix="squall-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)
