"""Daily: partitions are made ahead and dropped behind, texts emptied."""

from datetime import timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param
from squall_tasks import DAG_DEFAULTS, PERIOD_END, squall_task

with DAG(
    "retention",
    schedule=CronDataIntervalTimetable("15 3 * * *", timezone="UTC"),
    is_paused_upon_creation=False,
    params={"as_of": Param(None, type=["null", "string"], format="date", description="as of this day; empty: the period's end")},
    doc_md="""
### Retention

Runs `squall db retain` as of the end of the period: makes the partitions of the next two months, drops those older than
`SQUALL_STREAM__RETENTION_DAYS`, and empties texts older than `SQUALL_STREAM__TEXT_RETENTION_DAYS`. Scores outlive the texts that
they were made of; incidents keep their evidence.

**Without it** the partitions run out two months after the last `squall db upgrade`, and items are refused from then on.

**To run it by hand**, trigger it, with `as_of` for another day than today. A second run for the same day changes nothing.
""",
    **DAG_DEFAULTS,
):
    squall_task(
        "retain",
        'db retain --as-of "$AS_OF" --json',
        values={"AS_OF": f"{{{{ params.as_of or {PERIOD_END}.strftime('%Y-%m-%dT%H:%M:%S') }}}}"},
        limit=timedelta(hours=2),
    ).doc_md = "Small transactions only: it may be killed at any point, and goes on where it was."
