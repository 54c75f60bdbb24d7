"""The dashboard as a newcomer opens it while the demo plays."""

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.integration.test_demo import environment


@pytest.fixture
def home() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="squall-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def test_an_alert_of_the_demo_is_seen_with_its_evidence(home: Path, visit: Visit) -> None:
    command = (sys.executable, "-m", "squall", "demo", "--port", "0")
    with subprocess.Popen(command, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout
            lines: list[str] = []
            while not any(line.startswith("ALERT") for line in lines):
                lines.append(process.stdout.readline())
                assert lines[-1], "".join(lines)
            address = next(line.split()[1] for line in lines if line.startswith("dashboard"))
            page = visit("/incidents", at=address, strict=False).page
            page.locator("#incident-grid .ag-center-cols-container .ag-row").first.click()
            expect(page.locator("#incident-detail .evidence tbody tr").nth(3)).to_be_visible()
            expect(page.locator("#incident-detail")).to_contain_text("Fired")
            page.get_by_role("link", name="Now").first.click()
            expect(page.locator("#tape .ag-row").first).to_be_visible()
            page.close()
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=120)
    assert process.returncode in (0, 128 + signal.SIGINT)
