"""`squall health`: whether the workers of this home are well, for a container's health check."""

import time

import typer

from squall.settings import get_settings

FRESH_S = 15.0


def health() -> None:
    """Print what each worker of this home and namespace says of itself; exit 1 where there is none, or one is unwell.

    A worker that waits for the broker or the database is well. For what `squall up` runs, `squall status` says more.
    """
    from squall.embedded.health import folder, parse
    from squall.embedded.state import read_json

    where = folder(get_settings())
    files = sorted(where.glob("worker-*.json"))
    if not files:
        print(f"no worker in {where}")
        raise typer.Exit(1)
    well = True
    for file in files:
        said = parse(read_json(file))
        fresh = said is not None and time.time() - said.at < FRESH_S
        well &= said is not None and fresh and (said.state == "running" or said.state.startswith("waiting"))
        what = f"{said.state}, {said.processed} processed, lag {said.lag}" if said and fresh else "silent"
        print(f"{file.stem}: {what}")
        for name, line in (said.about if said and fresh else {}).items():
            print(f"  {name}: {line}")
    raise typer.Exit(0 if well else 1)
