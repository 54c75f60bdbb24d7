"""The dashboard as a newcomer opens it while the demo plays: with the password that the demo prints."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.integration.test_demo import environment


def said(lines: list[str], what: str) -> list[str]:
    return next(line.split() for line in lines if line.startswith(what))


def test_an_alert_of_the_demo_is_seen_with_its_evidence(home: Path, chrome: Any) -> None:
    command = (sys.executable, "-m", "squall", "demo", "--port", "0")
    with subprocess.Popen(command, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        context = chrome.new_context(viewport={"width": 1280, "height": 900})
        try:
            assert process.stdout
            lines: list[str] = []
            while not (lines and lines[-1].startswith("ALERT") and "“”" not in lines[-1]):
                lines.append(process.stdout.readline())
                assert lines[-1], "".join(lines)
            _, _, name, _, password, *_ = said(lines, "log in")
            page = context.new_page()
            page.goto(said(lines, "dashboard")[1] + "/incidents")
            page.locator("#name").fill(name.rstrip(","))
            page.locator("#password").fill(password)
            page.get_by_role("button", name="Log in").click()
            company = re.split(r"  |, ", lines[-1])[2]
            page.locator("#incident-grid .ag-center-cols-container .ag-row", has_text=company).first.click()
            expect(page.locator("#incident-detail .evidence tbody tr").nth(2)).to_be_visible()
            expect(page.locator("#incident-detail")).to_contain_text("Fired")
            page.get_by_role("link", name="Now").first.click()
            expect(page.locator("#tape .ag-row").first).to_be_visible()
        finally:
            context.close()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=120)
    assert process.returncode in (0, 128 + signal.SIGINT)
