"""What a received chart shows, in words, where there is a model that reads charts."""

import logging
from functools import cache, lru_cache

from dashboard.queries import Reader
from models.artifact import ArtifactError
from models.chart_image import ChartError
from models.chart_reader import ChartReader, load_chart_reader, sentence

KEPT = 128

logger = logging.getLogger(__name__)


@lru_cache(maxsize=KEPT)
def chart_words(reader: Reader, chart_id: str) -> tuple[str, str] | None:
    """A sentence about a chart and the version of the model that says it; None without a model, or for what is no image."""
    model, found = _model(), reader.chart_image(chart_id)
    if model is None or found is None:
        return None
    try:
        return sentence(model.read(found[0])), model.version
    except ChartError as error:
        logger.warning("chart %s: %s", chart_id, error)
        return None


@cache
def _model() -> ChartReader | None:
    try:
        return load_chart_reader()
    except ArtifactError as error:
        logger.warning("charts are not described: %s", error)
        return None
