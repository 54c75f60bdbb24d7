import io
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from models.passages import Passage
from pipelines.classify import Columns, InputError, mark, read_passages
from squall.cli.classify import classify
from squall.errors import UserError
from squall.settings import get_settings

TEXT = Columns("text", None)


def read(content: str, name: str = "-", columns: Columns = TEXT) -> list[Passage]:
    return list(read_passages(io.StringIO(content), name, columns))


def test_plain_lines_json_lines_and_csv() -> None:
    assert read("one\n\ntwo\n") == [Passage("one"), Passage("two")]
    assert read('{"text": "one"}\n\n{"text": "two", "more": 1}\n') == [Passage("one"), Passage("two")]
    assert read('text,n\n"a, b",1\n"two\nlines",2\n', "x.csv") == [Passage("a, b"), Passage("two\nlines")]
    assert read("", "x.jsonl") == read("") == []


def test_the_company_is_marked_where_it_stands() -> None:
    rows = read("text,firm\nCorvo beats Halden,Halden\nNo news,Halden\nQuiet,\n", "x.csv", Columns("text", "firm"))
    assert rows == [Passage("Corvo beats Halden", (12, 18)), Passage("No news"), Passage("Quiet")]
    assert mark("shares of CORVO", "Corvo") == Passage("shares of CORVO", (10, 15))


@pytest.mark.parametrize(
    ("content", "name", "columns", "message"),
    [
        ("headline,firm\nx,y\n", "x.csv", TEXT, "line 1: no column 'text'; there are: headline, firm"),
        ("text,firm\nx\n", "x.csv", TEXT, "line 2: not as many fields as the header's 2"),
        ("", "x.csv", TEXT, "line 1: no header"),
        ('{"text": "a"}\n{oops\n', "-", TEXT, "line 2: not JSON"),
        ('{"text": "a"}\n[1]\n', "-", TEXT, "line 2: not a JSON object"),
        ('{"text": null}\n', "-", TEXT, "line 1: 'text' is null, not a text"),
        ('{"text": "a", "firm": 3}\n', "-", Columns("text", "firm"), "line 1: 'firm' is 3, not a text"),
        ("plain\n", "-", Columns("text", "firm"), "--company-column needs CSV or JSON Lines"),
    ],
)
def test_bad_input_names_line_and_reason(content: str, name: str, columns: Columns, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(content, name, columns)
    assert message in str(caught.value)


def test_the_command_writes_one_line_for_each_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    monkeypatch.setenv("SQUALL_HOME", str(tmp_path))
    monkeypatch.setenv("SQUALL_MODEL__DEVICE", "cpu")
    get_settings.cache_clear()
    app = typer.Typer()
    app.command()(classify)
    source = tmp_path / "texts.jsonl"
    source.write_text('{"text": "Kestrel Mills plunges after a profit warning"}\n{"text": ""}\n')
    try:
        result = CliRunner().invoke(app, [str(source)])
        missing = CliRunner().invoke(app, [str(tmp_path / "nothing.csv")])
    finally:
        get_settings.cache_clear()
    first, second = map(json.loads, result.stdout.splitlines())
    assert first["sentiment"]["label"] == "negative"
    assert set(first) == {"sentiment", "topic", "model"}
    assert list(first["sentiment"]["probabilities"]) == ["negative", "neutral", "positive"]
    assert len(second["topic"]["probabilities"]) == 20
    assert isinstance(missing.exception, UserError)
    assert "nothing.csv: No such file" in str(missing.exception)
