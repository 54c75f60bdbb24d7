"""Daily: how far the news and the model's answers have moved."""

from datetime import timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param
from drift_report import write_report
from squall_tasks import DAG_DEFAULTS, KEPT, PERIOD_END, report_task, squall_task

AS_OF = f"{{{{ params.as_of or {PERIOD_END}.strftime('%Y-%m-%d') }}}}"
WEEKS = f"{KEPT}/drift/{AS_OF}"

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

**report** then draws both weeks side by side with Evidently, into `learning/drift/DAY/drift.html` in `SQUALL_HOME`
(`LEARNING_DIR` names another folder than `learning`). Its own verdicts are by p-value, and decide nothing.

**To run it by hand**, trigger it, with `as_of` for another day. A second run for a day replaces the first.
""",
    **DAG_DEFAULTS,
):
    measure = squall_task(
        "measure",
        'drift --as-of "$AS_OF" --weeks-to "$WEEKS" --json',
        values={"AS_OF": AS_OF, "WEEKS": WEEKS},
        limit=timedelta(hours=1),
    )
    measure.doc_md = "Reads at most 2,000 texts a week, of nine weeks; one transaction."
    report = report_task("report", write_report, WEEKS, limit=timedelta(minutes=30))
    report.doc_md = "Skipped where one of the weeks has no texts."
    measure >> report
