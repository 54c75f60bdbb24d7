"""On demand: history under another model version."""

from datetime import timedelta

from airflow.sdk import DAG, Param
from squall_tasks import DAG_DEFAULTS, squall_task

with DAG(
    "backfill",
    schedule=None,
    is_paused_upon_creation=False,
    params={
        "model": Param(type="string", minLength=1, description="number, name or alias of a registered version"),
        "first": Param(type="string", format="date", description="first day, in UTC"),
        "last": Param(type="string", format="date", description="the day before which it ends, in UTC"),
        "rate": Param(50, type="number", exclusiveMinimum=0, description="mentions a second at most"),
    },
    doc_md="""
### Backfill

Runs `squall backfill`: scores the mentions of a period under another model version. What stands is kept, the mood does not move;
the new scores lie in the table `rescore`.

It reads from Postgres, not from the broker, at a low priority and at most `rate` mentions a second, so that live scoring goes on
beside it. Killed or stopped, it goes on where it was at its next try. Mentions whose text the retention has emptied are counted
and left out.
""",
    **DAG_DEFAULTS,
):
    squall_task(
        "rescore",
        'backfill --model "$MODEL" --from "$FIRST" --to "$LAST" --rate "$RATE" --json',
        values={name.upper(): f"{{{{ params.{name} }}}}" for name in ("model", "first", "last", "rate")},
        limit=timedelta(days=1),
    ).doc_md = "The day's limit ends a try, not the work: the next one goes on."
