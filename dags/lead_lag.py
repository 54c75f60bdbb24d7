"""Nightly: whose mood has led its price."""

from datetime import timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param
from squall_tasks import DAG_DEFAULTS, PERIOD_END, squall_task

with DAG(
    "lead_lag",
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone="UTC"),
    is_paused_upon_creation=False,
    params={
        "until": Param(
            None, type=["null", "string"], format="date", description="closes before this day; empty: the period's end"
        ),
        "days": Param(730, type="integer", minimum=60, maximum=3650, description="so many days back"),
    },
    doc_md="""
### Lead and lag

Runs `squall leadlag` over the last two years: for every company, whether its mood has led its market-adjusted price, or the price
the mood. The first 60 % of the sessions find, the rest confirms; what is found keeps a stated share of false ones. The answers
stand in the table `lead_lag`, which each run replaces. That one came before the other says nothing of causes.

**To run it by hand**, trigger it, with `until` for another day.
""",
    **DAG_DEFAULTS,
):
    squall_task(
        "leadlag",
        'leadlag --from "$FIRST" --to "$UNTIL" --json',
        values={
            "FIRST": f"{{{{ macros.ds_add(params.until or {PERIOD_END}.strftime('%Y-%m-%d'), -params.days) }}}}",
            "UNTIL": f"{{{{ params.until or {PERIOD_END}.strftime('%Y-%m-%d') }}}}",
        },
        limit=timedelta(hours=2),
    ).doc_md = "Reads daily sums of mood and closes; one transaction."
