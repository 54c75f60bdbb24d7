"""A process beside the supervisor that stops its children when the supervisor dies, however it dies.

Run by its path with the supervisor's end of a pipe as standard input. Each line is a JSON list of what runs:
`[stage, pid, started, signal]`, replaced by the next line. When the pipe closes, whatever is left is stopped, the highest
stage first, by group. It imports little, because it stays resident.
"""

import json
import os
import signal
import sys
import time

import psutil

GRACE_S = 8.0


def is_alive(pid: int, started: float) -> bool:
    """Whether the process that started then still runs under this id."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - started) < 5
    except psutil.Error:
        return False


def send(pid: int, number: int) -> None:
    """Signal the group that the process leads."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def stop(children: list[tuple[int, int, float, int]]) -> None:
    """Stop the processes, the highest stage first; those that do not go in time are killed."""
    for stage in sorted({child[0] for child in children}, reverse=True):
        left = [(pid, started, number) for s, pid, started, number in children if s == stage and is_alive(pid, started)]
        for pid, _, number in left:
            send(pid, number)
        end = time.monotonic() + GRACE_S
        while left and time.monotonic() < end:
            time.sleep(0.05)
            left = [one for one in left if is_alive(one[0], one[1])]
        for pid, _, _ in left:
            send(pid, signal.SIGKILL)


def main() -> None:
    """Keep the newest list until the pipe closes, then stop what is on it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    children: list[tuple[int, int, float, int]] = []
    for line in sys.stdin:
        if line.endswith("\n"):
            children = [tuple(child) for child in json.loads(line)]
    stop(children)


if __name__ == "__main__":
    main()
