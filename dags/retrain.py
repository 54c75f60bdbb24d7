"""Weekly: a new model from what people corrected, promoted if it is better."""

from datetime import timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param
from squall_tasks import DAG_DEFAULTS, KEPT, PERIOD_END, squall_task

NAME = "{{ run_id | replace(':', '-') | replace('+', '-') }}"
DATA = {"DATA": f"{KEPT}/data/{NAME}"}
RUN = {"RUN": f"{KEPT}/runs/{NAME}"}

with DAG(
    "retrain",
    schedule=CronDataIntervalTimetable("0 4 * * 6", timezone="UTC"),
    is_paused_upon_creation=False,
    params={
        "as_of": Param(
            None, type=["null", "string"], format="date-time", description="labels as they stood then; empty: the period's end"
        ),
        "epochs": Param(1, type="integer", minimum=1, maximum=20, description="passes over the training rows"),
        "seed": Param(1, type="integer", description="of the order, the marks and the dropout"),
        "learning_rate": Param(3e-4, type="number", exclusiveMinimum=0, maximum=0.1, description="at its peak"),
        "base_rows": Param(12_000, type="integer", minimum=0, description="rows of the base sets to learn from; 0: all"),
        "when": Param("new", enum=["new", "always"], description="always: even where a model has learnt from these very rows"),
    },
    doc_md="""
### Retrain

One week's way from people's corrections to the model in service:

1. **dataset** freezes the labels as they stood at the period's end, with the base sets of `SQUALL_DATA_DIR`. Where people have
   labelled nothing since the last model, the run ends here, *skipped*.
2. **train** goes on from the champion, on these rows.
3. **challenger** and **champion** are each judged on the same frozen rows, which neither was trained on here.
4. **register** keeps the new version, as challenger, whatever comes of it.
5. **gate** holds the two against each other. A refusal ends the run there: it is *skipped* from then on, and nothing has failed.
6. **promote** lets it score what the baselines go by, then makes it the champion from one event minute on.
   `squall models rollback` is the way back.

Data sets lie in `SQUALL_HOME/learning/data`, runs with the gate's report (`gate/gate.html`) in `SQUALL_HOME/learning/runs`, by
the run's id; `LEARNING_DIR` names another folder than `SQUALL_HOME/learning`. A try that is killed is done again and finds what
the one before has finished: training goes on from its checkpoint.

**To run it by hand**, trigger it. Without `as_of` the labels of today are not in it: the period has ended before.
""",
    **DAG_DEFAULTS,
):
    dataset = squall_task(
        "dataset",
        'dataset build --to "$DATA" --as-of "$AS_OF" --when "$WHEN" --json',
        values={
            **DATA,
            "WHEN": "{{ params.when }}",
            "AS_OF": f"{{{{ (params.as_of or {PERIOD_END}.strftime('%Y-%m-%dT%H:%M:%S'))[:19] }}}}",
        },
        limit=timedelta(hours=1),
        well=("skipped",),
    )
    dataset.doc_md = "The same labels and base sets give the same version, so a second try changes nothing."
    options = {name.upper(): f"{{{{ params.{name} }}}}" for name in ("epochs", "seed", "learning_rate", "base_rows")}
    train = squall_task(
        "train",
        'train text --dataset "$DATA" --out "$RUN/train" --from-champion --begun --epochs "$EPOCHS" --seed "$SEED" '
        '--learning-rate "$LEARNING_RATE" --base-rows "$BASE_ROWS"',
        values={**DATA, **RUN, **options},
        limit=timedelta(hours=20),
        well=(),
    )
    train.doc_md = (
        "A few minutes on two cores; with all rows of the base sets an hour and more. A checkpoint is written every 200 steps."
    )
    challenger = squall_task(
        "challenger",
        'evaluate text --dataset "$DATA" --model "$RUN/train/artifact" --out "$RUN/challenger" --json',
        values={**DATA, **RUN},
        limit=timedelta(hours=2),
        well=(),
    )
    challenger.doc_md = "The new model's answer to every row that is judged by, to files."
    champion = squall_task(
        "champion",
        'evaluate text --dataset "$DATA" --champion --out "$RUN/champion" --json',
        values={**DATA, **RUN},
        limit=timedelta(hours=2),
        well=(),
    )
    champion.doc_md = "The same of the model in service."
    register = squall_task(
        "register", 'models register "$RUN/train/artifact" --json', values=RUN, limit=timedelta(minutes=30), well=()
    )
    register.doc_md = "Verifies the artifact and keeps a copy of it; it does not serve yet."
    gate = squall_task(
        "gate",
        'gate --champion "$RUN/champion" --challenger "$RUN/challenger" --out "$RUN/gate" --keep --json',
        values=RUN,
        limit=timedelta(minutes=30),
        well=("skipped",),
    )
    gate.doc_md = (
        "Ends with 99 where it refuses, which Airflow shows as skipped; the report says why, and is kept with the version."
    )
    promote = squall_task(
        "promote",
        'models promote challenger --report "$RUN/gate/gate.json" --reason "retrained on schedule: the gate passed it" --json',
        values=RUN,
        limit=timedelta(hours=12),
    )
    promote.doc_md = (
        "First the version scores what baselines go by, 200 mentions a second at most; a second try goes on where it was. "
        "Refused where the report is of another champion or challenger than there are now."
    )
    dataset >> train >> [challenger, champion] >> register >> gate >> promote
