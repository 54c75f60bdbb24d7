"""What is said of a received chart, where there is a model that reads charts."""

from collections.abc import Iterator

import pytest

from dashboard.components import chart_words as component
from models import chart_reader
from models.artifact import ArtifactError
from models.chart_image import ChartError
from models.chart_reader import Reading


class Charts:
    """Stands for the database's reader."""

    asked = 0

    def chart_image(self, chart_id: str) -> tuple[bytes, str] | None:
        self.asked += 1
        return None if chart_id == "none" else (chart_id.encode(), "image/png")


class Model:
    """Stands for a chart model."""

    version = "chart-1-abc"

    def read(self, image: bytes) -> dict[str, Reading]:
        if image == b"broken":
            raise ChartError("no PNG or JPEG image that can be read")
        return {"trend": Reading("rising", 0.9, True)}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    caches = (component.chart_words, chart_reader._shipped)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


def test_a_chart_is_read_once_and_says_by_which_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart_reader, "load_chart_reader", Model)
    reader = Charts()
    assert component.chart_words(reader, "a") == ("The price rises.", "chart-1-abc")
    assert component.chart_words(reader, "a") == ("The price rises.", "chart-1-abc")
    assert reader.asked == 1
    assert component.chart_words(reader, "broken") is None
    assert component.chart_words(reader, "none") is None


def test_without_a_model_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Model:
        raise ArtifactError("no chart model")

    monkeypatch.setattr(chart_reader, "load_chart_reader", missing)
    assert component.chart_words(Charts(), "a") is None
