"""What a received chart shows, in words, where there is a model that reads charts."""

from functools import lru_cache

from dashboard.queries import Reader
from models import chart_reader

KEPT = 128


@lru_cache(maxsize=KEPT)
def chart_words(reader: Reader, chart_id: str) -> tuple[str, str] | None:
    """A sentence about a chart and the version of the model that says it; None where nothing can be said, or it is not there."""
    found = reader.chart_image(chart_id)
    return chart_reader.chart_words(found[0]) if found else None
