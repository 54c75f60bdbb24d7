import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from models.drawing import render_chart
from pipelines.ingest import files
from pipelines.ingest.charts import ChartSource, draw_charts, read_folder
from pipelines.ingest.files import FileSource, read_bars, read_news
from pipelines.ingest.readers import read_rows
from pipelines.ingest.rows import NEWS_REQUIRED, bar_from_row
from pipelines.ingest.source import Batch, Source
from squall.errors import UsageError
from squall.records import Bar, Chart, decode
from squall.safety import check_image
from tests.week import generated_bars, generated_week

ROWS: list[dict[str, Any]] = [
    {
        "published_at": "2012-05-21T10:21:00Z",
        "title": 'Shares "slip", again',
        "tickers": ["FB"],
        "body": "One\nline, two",
    },
    {"published_at": "2012-05-21T10:22:00Z", "title": "Café chain adds tables", "tickers": [], "body": ""},
    {"published_at": "2012-05-21T10:23:00Z", "title": "Big Blue names a plant chief", "tickers": ["IBM", "GE"], "body": ""},
]


def written(folder: Path, suffix: str, rows: Sequence[dict[str, Any]] = ROWS) -> Path:
    path = folder / f"wire{suffix}"
    if suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows), encoding="utf-8")
    elif suffix == ".csv":
        pd.DataFrame([{**row, "tickers": ",".join(row["tickers"])} for row in rows]).to_csv(path, index=False)
    else:
        pd.DataFrame(rows).assign(published_at=lambda table: pd.to_datetime(table["published_at"])).to_parquet(path)
    return path


def batches(source: Source, position: Any = ()) -> list[Batch]:
    async def collect() -> list[Batch]:
        return [batch async for batch in source.batches(dict(position))]

    return asyncio.run(collect())


def test_all_formats_read_the_same(tmp_path: Path) -> None:
    read = {suffix: [one.record for one in read_news(written(tmp_path, suffix))] for suffix in (".jsonl", ".csv", ".parquet")}
    assert read[".jsonl"] == read[".csv"] == read[".parquet"]
    first, second, third = read[".csv"]
    assert first is not None
    assert second is not None
    assert third is not None
    assert (first.title, first.body, first.tickers) == ('Shares "slip", again', "One\nline, two", ("FB",))
    assert second.title == "Café chain adds tables"
    assert (third.tickers, third.source) == (("IBM", "GE"), "wire")


def test_a_generated_week_keeps_every_column(tmp_path: Path) -> None:
    week = generated_week(300)
    found = [one.record for one in read_news(written(tmp_path, ".parquet", week))]
    columns = ("title", "published_at", "guid", "url", "revision", "retracted", "source")
    assert [{name: getattr(news, name) for name in columns} for news in found] == [
        {name: row[name] for name in columns} for row in week
    ]


def test_bad_lines_of_json_are_passed_on_as_they_stand(tmp_path: Path) -> None:
    good = json.dumps(ROWS[1]).encode()
    bad = [b'{"title": "cut', b"[1, 2]", b'{"title": "caf\xe9"}', b'{"published_at": NaN, "title": "x"}', b"null"]
    path = tmp_path / "news.jsonl"
    path.write_bytes(b"\n".join([good, *bad, b"", b"  ", good]) + b"\r\n")
    reads = list(read_news(path))
    assert [one.record is None for one in reads] == [False, *[True] * len(bad), False]
    assert [one.send.value for one in reads[1:-1]] == bad
    assert len({one.send.key for one in reads[1:-1]}) == len(bad)


def test_bad_rows_of_csv_are_passed_on_as_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "news.csv"
    path.write_bytes(
        b"\xef\xbb\xbfpublished_at,title,body\r\n"
        b"2012-05-21,Good one,\r\n"
        b"2012-05-21,too,many,cells\r\n"
        b"2012-05-21\r\n"
        b"\r\n"
        b"2012-05-21,caf\xe9,\r\n"
        b"someday,When is this,\r\n"
        b'2012-05-22,"Two\nlines",last'
    )
    reads = list(read_news(path))
    assert [one.record is None for one in reads] == [False, True, True, True, True, False]
    assert [one.send.value for one in reads[1:4]] == [b"2012-05-21,too,many,cells", b"2012-05-21", b"2012-05-21,caf\xe9,"]
    assert b'"published_at":"someday"' in reads[4].send.value
    assert "published_at" in reads[4].error
    assert reads[5].record is not None
    assert reads[5].record.title == "Two\nlines"


def test_a_row_over_the_limit_keeps_its_beginning_and_the_next_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.ingest.readers.MAX_VALUE_BYTES", 100)
    path = tmp_path / "news.jsonl"
    path.write_bytes(b'{"title": "' + b"x" * 950 + b'"}\n' + json.dumps({"title": "short"}).encode() + b"\n")
    rows = list(read_rows(path, NEWS_REQUIRED))
    assert [(len(row.raw), row.fields) for row in rows] == [(100, None), (18, {"title": "short"})]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("news.xlsx", b"", "unknown extension"),
        ("missing.csv", None, "No such file"),
        ("news.csv", b"date,title\n", "no column 'published_at'"),
        ("news.csv", b"", "no column 'published_at'"),
        ("news.parquet", b"PAR1 not really", "no Parquet file"),
    ],
)
def test_a_file_that_is_none_says_so_in_one_line(tmp_path: Path, name: str, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=reason) as caught:
        list(read_news(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_a_file_goes_on_where_it_was_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK", 2)
    path = written(tmp_path, ".jsonl")
    source = FileSource(path, read_news)
    first, second = batches(source)
    assert [len(batch.sends) for batch in (first, second)] == [2, 1]
    assert first.last_item_at == datetime(2012, 5, 21, 10, 22, tzinfo=UTC)
    assert batches(source, first.position) == [second]
    assert batches(source, second.position) == []
    with path.open("a") as file:
        file.write(json.dumps(ROWS[0]) + "\n")
    assert sum(len(batch.sends) for batch in batches(source, second.position)) == 4


def test_prices(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    bars = generated_bars()
    pd.DataFrame(bars).to_parquet(path)
    reads = list(read_bars(path))
    assert [one.record.close for one in reads if one.record] == [bar["close"] for bar in bars]
    known: Bar = decode(reads[0].send.value, Bar)
    assert known.available_at is not None
    assert known.available_at.hour in (20, 21)


def own_bars(days: int = 400) -> list[Bar]:
    starts = pd.bdate_range("2014-01-01", periods=days, tz="UTC")
    rows = [
        {"ticker": "IBM", "start": at, "open": 100 + n % 7, "high": 110, "low": 90, "close": 101 + n % 5, "volume": 1000 + n}
        for n, at in enumerate(starts)
    ]
    return [read.record for row in rows if (read := bar_from_row(row, "test")).record]


def table(bars: Sequence[Bar]) -> pd.DataFrame:
    return pd.DataFrame(
        [{name: getattr(bar, name) for name in ("start", "open", "high", "low", "close", "volume")} for bar in bars]
    )


def test_a_drawn_chart_is_small_and_the_same_each_time() -> None:
    bars = table(own_bars())
    chart = render_chart(bars)
    assert chart == render_chart(bars.sample(frac=1, random_state=1))
    info = check_image(chart)
    assert (info.media_type, info.width, info.height) == ("image/png", 224, 224)
    assert chart != render_chart(bars[:-1])
    assert render_chart(bars) == render_chart(bars[-250:])


def test_a_drawn_chart_shows_rise_and_fall() -> None:
    def colours(closes: Sequence[float]) -> set[tuple[int, ...]]:
        bars = table(own_bars(len(closes)))
        bars = bars.assign(
            close=closes, open=[closes[0], *closes[:-1]], high=[c + 1 for c in closes], low=[c - 1 for c in closes]
        )
        image = Image.open(BytesIO(render_chart(bars)))
        return {tuple(colour) for _, colour in image.getcolors(1000) or [] if isinstance(colour, tuple)}

    rising, falling = [50.0 + n for n in range(40)], [150.0 - n for n in range(40)]
    assert (20, 140, 90) in colours(rising) - colours(falling)
    assert (200, 50, 50) in colours(falling) - colours(rising)


def test_charts_need_bars() -> None:
    with pytest.raises(ValueError, match="no bars"):
        render_chart(table(own_bars(3))[:0])
    assert list(draw_charts([])) == []


def test_drawn_charts_know_nothing_of_later_bars() -> None:
    bars = own_bars(30)
    drawn = list(draw_charts(bars, "M"))
    assert [chart.end for chart in drawn] == [bars[22].start, bars[29].start]
    first: Chart = decode(drawn[0].send.value, Chart)
    assert first.image == render_chart(table(bars[:23]))
    assert first.available_at is not None
    assert bars[22].start < first.available_at < bars[23].start


def test_charts_of_a_folder(tmp_path: Path) -> None:
    image = render_chart(table(own_bars()))
    for name in ("IBM_2013-01-24.png", "BRK.B_2013-01-25.png", "notes.txt", "IBM.png"):
        (tmp_path / name).write_bytes(image)
    (tmp_path / "FB_2013-01-28.png").write_bytes(b"no image")
    read = list(read_folder(tmp_path))
    assert [(one.end.date().isoformat(), one.error) for one in read] == [
        ("2013-01-25", ""),
        ("2013-01-28", "neither a PNG nor a JPEG image"),
        ("2013-01-24", ""),
    ]
    chart: Chart = decode(read[0].send.value, Chart)
    assert (chart.ticker, chart.image, chart.source) == ("BRK.B", image, tmp_path.name)
    assert chart.available_at == datetime(2013, 1, 25, 21, tzinfo=UTC)
    first, *rest = batches(ChartSource("x", read_folder(tmp_path)))
    assert rest == []
    assert (len(first.sends), first.bad, first.position) == (3, 1, {"charts": 3})
    assert batches(ChartSource("x", read_folder(tmp_path)), first.position) == []


def test_charts_that_a_list_describes(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(render_chart(table(own_bars())))
    sidecar = tmp_path / "charts.csv"
    sidecar.write_text("file,ticker,end,interval,source\na.png,IBM,2013-01-24T14:30:00Z,15m,desk\n")
    [read] = read_folder(tmp_path)
    chart: Chart = decode(read.send.value, Chart)
    assert (chart.interval, chart.source) == ("15m", "desk")
    assert chart.available_at == datetime(2013, 1, 24, 14, 45, tzinfo=UTC)
    for row, reason in (("../a.png,IBM,2013-01-24", "no file"), ("a.png,IBM,someday", "someday")):
        sidecar.write_text(f"file,ticker,end\n{row}\n")
        with pytest.raises(UsageError, match=reason):
            list(read_folder(tmp_path))


def test_an_empty_folder_says_how_charts_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"AAPL_2013-01-24\.png"):
        list(read_folder(tmp_path))
    with pytest.raises(UsageError, match="no such folder"):
        list(read_folder(tmp_path / "none"))
