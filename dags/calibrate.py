"""Nightly: where the alarm lines have to stand on the last months' news."""

from datetime import timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param
from squall_tasks import DAG_DEFAULTS, squall_task

with DAG(
    "calibrate",
    schedule=CronDataIntervalTimetable("0 5 * * *", timezone="UTC"),
    is_paused_upon_creation=False,
    params={"days": Param(120, type="integer", minimum=32, maximum=3650, description="so many days back")},
    doc_md="""
### Calibrate

Runs `squall calibrate`: plays the last months with their days in another order, and lets the alarm lines of companies and of
wider scopes stand where that meets the budgets of false incidents. What it finds holds from the next minute on, and is kept in
the table `calibration`; old decisions stay, and nothing opens because a line has moved.

In the first weeks the history is too short to say anything: the task is **skipped**, and the lines stay at their bounds.

**To run it by hand**, trigger it, with `days` for another length of history.
""",
    **DAG_DEFAULTS,
):
    squall_task(
        "measure",
        'calibrate --days "$DAYS" --skip-short --json',
        values={"DAYS": "{{ params.days }}"},
        limit=timedelta(hours=6),
        well=("success", "skipped"),
    ).doc_md = "Reads the history, computes, and writes at most two rows, in one transaction."
