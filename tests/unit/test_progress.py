"""What a run says while it goes on, in a log file."""

import re

import pytest

from pipelines.training.progress import log_lines, progress_report


def test_a_line_every_half_minute_and_at_the_end_of_each_count(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    report = log_lines(lambda: now)
    for done in range(1, 7):
        report("epoch 1/2" if done < 4 else "epoch 2/2", done, 6, 0.25)
        now += 20
    report("vectors", 3, 3)
    report("charts", 3, 3)
    assert capsys.readouterr().out.splitlines() == [
        "epoch 1/2  loss 0.250  3/6  1.0 min left",
        "epoch 2/2  loss 0.250  5/6  0.3 min left",
        "epoch 2/2  loss 0.250  6/6",
        "vectors  3/3",
        "charts  3/3",
    ]


def test_on_a_terminal_there_is_one_bar_that_begins_anew_with_another_count(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with progress_report() as report:
        report("vectors", 3, 3)
        report("epoch 1/1", 1, 8, 0.5)
        report("epoch 1/1", 2, 8, 0.25)
    frames = [frame for frame in re.split(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]", capsys.readouterr().out) if frame.strip()]
    shown = "".join(frames[-20:])
    assert "epoch 1/1  loss 0.250" in shown
    assert "2/8" in shown
