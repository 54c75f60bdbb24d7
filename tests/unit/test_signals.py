"""Ctrl-C in code that catches everything, and in the clearing up that follows it."""

import os
import signal

import pytest

from squall.embedded import signals
from squall.embedded.signals import SIGNALS, Stopped, stoppable


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "AGAIN_S", 0.01)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda one: one.name)
def test_what_a_library_swallows_is_raised_again(number: signal.Signals) -> None:
    swallowed = 0

    def catch_everything() -> None:
        nonlocal swallowed
        os.kill(os.getpid(), number)
        while swallowed < 3:
            try:
                signal.pause()
            except BaseException:
                swallowed += 1
        signal.pause()

    before = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(Stopped) as stopped, stoppable():
            catch_everything()
        assert stopped.value.number == number
        assert signal.getsignal(number) == signal.default_int_handler
    finally:
        signal.signal(number, before)


def test_clearing_up_is_not_disturbed() -> None:
    done = False

    def clear_up() -> None:
        nonlocal done
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        finally:
            for _ in range(3):
                signal.pause()
            try:
                raise ValueError("of the clearing up itself")
            except ValueError:
                os.kill(os.getpid(), signal.SIGINT)
            done = True

    with pytest.raises(Stopped) as stopped, stoppable():
        clear_up()
    assert (stopped.value.number, done) == (signal.SIGTERM, True)


def test_a_closed_terminal_ends_nothing_under_nohup() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
