"""Every ten minutes: what new stories are about, for the dashboard's search by meaning."""

from datetime import timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param
from squall_tasks import DAG_DEFAULTS, squall_task

with DAG(
    "embed",
    schedule=CronDataIntervalTimetable("*/10 * * * *", timezone="UTC"),
    is_paused_upon_creation=False,
    params={"most": Param(20_000, type="integer", minimum=1, maximum=1_000_000, description="stories at most, the newest first")},
    doc_md="""
### Search by meaning

Runs `squall embed`: keeps a vector of every story that has none of the model in use, in the table `story_vector`. The page
Stories finds by it what means the same in other words. Stories that are newer than the last run are found by words alone.

**To run it by hand**, trigger it; with a larger `most` after another model was promoted, since its vectors are not those of the
one before.
""",
    **DAG_DEFAULTS,
):
    squall_task(
        "embed",
        'embed --most "$MOST" --json',
        values={"MOST": "{{ params.most }}"},
        limit=timedelta(hours=1),
    ).doc_md = "One transaction a batch of 256; a second run finds nothing to do."
