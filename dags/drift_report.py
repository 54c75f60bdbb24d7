"""A week of scored texts beside the week before, as a page that Evidently draws."""

import os
from pathlib import Path

REFERENCE, CURRENT, PAGE = "reference.parquet", "current.parquet", "drift.html"
NUMBERS = ["words", "negative", "neutral", "positive"]
NAMES = ["language", "topic", "sentiment"]


def write_report(folder: str) -> str:
    """Draw the two weeks that `squall drift --weeks-to` left in a folder, into `drift.html` beside them; returns its path.

    Raises:
        AirflowSkipException: a week has no texts.
    """
    from airflow.sdk.exceptions import AirflowSkipException

    os.environ["DO_NOT_TRACK"] = "1"
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    paths = [Path(folder) / name for name in (CURRENT, REFERENCE)]
    if not all(path.exists() for path in paths):
        raise AirflowSkipException("a week has no texts: there is nothing to draw")
    definition = DataDefinition(numerical_columns=NUMBERS, categorical_columns=NAMES)
    weeks = [Dataset.from_pandas(pd.read_parquet(path), data_definition=definition) for path in paths]
    page = Path(folder) / PAGE
    Report([DataDriftPreset()]).run(*weeks).save_html(str(page))
    return str(page)
