"""Daily: how far the news and the model's answers have moved."""

from datetime import timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param
from squall_tasks import DAG_DEFAULTS, PERIOD_END, squall_task

with DAG(
    "drift",
    schedule=CronDataIntervalTimetable("30 3 * * *", timezone="UTC"),
    is_paused_upon_creation=False,
    params={
        "as_of": Param(
            None, type=["null", "string"], format="date", description="weeks end before this day; empty: the period's end"
        )
    },
    doc_md="""
### Drift

Runs `squall drift`: compares the last seven days with the week before, by what has been usual from week to week. Texts, the
model's answers, and how often it is right, by people's labels and as its own probabilities estimate it. What it finds is kept
in the table `drift`, a row a day. An **alarm is an incident** of the rule `model drift`, resolved by a week as weeks are.

The estimate without labels sees that texts have moved to where the model is unsure. It does not see that words have changed their
meaning: that takes labels.

**To run it by hand**, trigger it, with `as_of` for another day. A second run for a day replaces the first.
""",
    **DAG_DEFAULTS,
):
    squall_task(
        "measure",
        'drift --as-of "$AS_OF" --json',
        values={"AS_OF": f"{{{{ params.as_of or {PERIOD_END}.strftime('%Y-%m-%d') }}}}"},
        limit=timedelta(hours=1),
    ).doc_md = "Reads at most 2,000 texts a week, of nine weeks; one transaction."
