"""What the DAGs share: a task runs one `squall` command; when it has failed for good, that is a Squall incident.

RUN_SQUALL names the command where `squall` on the path is not it, RUN_SQUALL_IN the folder to run it in (that of `.env`).
"""

import logging
import os
import shlex
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator

log = logging.getLogger(__name__)

START = datetime(2026, 1, 1, tzinfo=UTC)
CALLBACK_LIMIT_S = 120
PERIOD_END = "(data_interval_end if data_interval_end is defined else dag_run.run_after)"
"""In a template: where the run's period ends. A run that is triggered without a logical date has none: it ends now."""
DAG_DEFAULTS: dict[str, Any] = {"start_date": START, "catchup": False, "max_active_runs": 1, "tags": ["squall"]}
"""No overlap, and no runs for the past: each command catches up by itself."""


KEPT = os.path.join(
    os.environ.get("RUN_SQUALL_IN", ""),
    os.environ.get("LEARNING_DIR") or f"{os.environ.get('SQUALL_HOME', '.squall')}/learning",
)
"""Folder for data sets, runs and reports."""
TRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=30),
}


def squall_task(
    task_id: str, command: str, *, values: dict[str, str], limit: timedelta, well: tuple[str, ...] = ("success",)
) -> BashOperator:
    """A task that runs `squall <command>`.

    Args:
        command: may use `values` as "$NAME"; they are never part of the shell's own text.
        values: templates by the name of the variable that they are handed over in.
        limit: a try that takes longer has failed.
        well: `success`, `skipped`: ends of this task that say that its DAG works again.
    """
    return BashOperator(
        task_id=task_id,
        bash_command=f"exec {os.environ.get('RUN_SQUALL', 'squall')} {command}",
        env=values,
        append_env=True,
        cwd=os.environ.get("RUN_SQUALL_IN"),
        **TRIES,
        execution_timeout=limit,
        on_failure_callback=raise_incident,
        on_success_callback=clear_incident if "success" in well else None,
        on_skipped_callback=clear_incident if "skipped" in well else None,
    )


def report_task(task_id: str, write: Callable[[str], str], folder: str, *, limit: timedelta) -> PythonOperator:
    """A task that draws a report in this environment, from what a `squall` command left in a folder."""
    return PythonOperator(
        task_id=task_id,
        python_callable=write,
        op_args=[folder],
        **TRIES,
        execution_timeout=limit,
        on_failure_callback=raise_incident,
    )


def raise_incident(context: Any) -> None:
    """Open an incident of this DAG."""
    task = context["ti"]
    error = str(context.get("exception") or "see its log").splitlines()[0]
    _squall("incidents", "raise", task.dag_id, f"The scheduled task {task.dag_id} failed (run {task.run_id}): {error[:200]}")


def clear_incident(context: Any) -> None:
    """Resolve the incident of this DAG where one is open."""
    _squall("incidents", "clear", context["ti"].dag_id)


def _squall(*words: str) -> None:
    """Run a command; a callback that fails is logged, and fails nothing else."""
    command = [*shlex.split(os.environ.get("RUN_SQUALL", "squall")), *words]
    try:
        subprocess.run(
            command, cwd=os.environ.get("RUN_SQUALL_IN"), check=True, capture_output=True, text=True, timeout=CALLBACK_LIMIT_S
        )
    except (OSError, subprocess.SubprocessError) as error:
        log.error("`squall %s` did not succeed: %s %s", " ".join(words[:2]), error, getattr(error, "stderr", ""))
