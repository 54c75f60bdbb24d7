"""After each market close: the daily bars of the watch-list."""

from datetime import timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param
from squall_tasks import DAG_DEFAULTS, PERIOD_END, squall_task

with DAG(
    "prices",
    schedule=CronDataIntervalTimetable("0 23 * * *", timezone="UTC"),
    is_paused_upon_creation=False,
    params={"day": Param(None, type=["null", "string"], format="date", description="the session's day; empty: the period's end")},
    doc_md="""
### Prices

Runs `squall ingest close` for the day on which the period ends: the daily bars of `SQUALL_PRICES__TICKERS`, by yfinance, of that
session and of the week before, so that a missed day is made up for. Bars that are there are not stored twice.

23:00 UTC is behind the close of every exchange on its own day, summer and winter. Whether `SQUALL_PRICES__EXCHANGE` holds a
session that day is looked up in its calendar: on weekends and holidays, and while no tickers are set, the task is **skipped**.

**To run it by hand**, trigger it, with `day` for another session.
""",
    **DAG_DEFAULTS,
):
    squall_task(
        "close",
        'ingest close --day "$DAY" --json',
        values={"DAY": f"{{{{ params.day or {PERIOD_END}.strftime('%Y-%m-%d') }}}}"},
        limit=timedelta(hours=1),
    ).doc_md = "Yahoo may refuse for a while; it is asked again with growing pauses."
