"""Runs in Airflow's environment, and prints one line of JSON last: what the DAGs are, or what became of a run of one.

`python probe.py list`, or `python probe.py run DAG CONF [undated]`, where CONF is a JSON object; a run tries each task once.
An undated run has no logical date, and so no period, as when a person or a program triggers it.
"""

import json
import os
import sys
from typing import Any

from airflow.dag_processing.dagbag import DagBag


def main() -> None:
    """See the module."""
    folder = os.environ["AIRFLOW__CORE__DAGS_FOLDER"]
    sys.path.append(folder)
    bag = DagBag(dag_folder=folder)
    if sys.argv[1] == "list":
        print(json.dumps({"errors": bag.import_errors, "dags": {name: describe(dag) for name, dag in bag.dags.items()}}))
        return
    dag = bag.dags[sys.argv[2]]
    for task in dag.tasks:
        task.retries = 0
    dated: dict[str, Any] = {"logical_date": None} if sys.argv[4:] == ["undated"] else {}
    run = dag.test(run_conf=json.loads(sys.argv[3]), **dated)
    print(json.dumps({"state": run.state, "tasks": {one.task_id: one.state for one in run.get_task_instances()}}))


def describe(dag: Any) -> dict[str, Any]:
    """What the tests ask of a DAG."""
    return {
        "timetable": type(dag.timetable).__name__,
        "max_active_runs": dag.max_active_runs,
        "catchup": dag.catchup,
        "doc": dag.doc_md or "",
        "params": sorted(dag.params),
        "tasks": [
            {
                "id": task.task_id,
                "command": getattr(task, "bash_command", None),
                "values": getattr(task, "env", None),
                "retries": task.retries,
                "backoff": task.retry_exponential_backoff,
                "limit_s": task.execution_timeout.total_seconds() if task.execution_timeout else None,
                "on_failure": [call.__name__ for call in task.on_failure_callback],
                "doc": task.doc_md or "",
            }
            for task in dag.tasks
        ],
    }


if __name__ == "__main__":
    main()
