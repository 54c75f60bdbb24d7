"""StockNet's tweets as scored, deduplicated items: linked, put into stories and scored by the product's own code, once.

The result is cached under `SQUALL_HOME`, by a hash of the tweets' file, the model and the code that makes it.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.progress import Progress

from models.artifact import SHIPPED, load_artifact
from models.passages import Passage, Span
from squall.companies import TickerIndex, load_companies
from squall.errors import UserError
from squall.settings import Settings
from streams.logic import link_relevance, linking, sketches, stories
from streams.logic.articles import others_of
from streams.logic.linking import CASHTAG, Linker

if TYPE_CHECKING:
    import pandas as pd

VERSION = 3
"""Changes whenever what is cached does."""
FIRST = date(2014, 7, 1)
"""What came before is not looked at."""
CHUNK = 2_048
NEGATIVE = 0.5
"""P(negative) from which a story may be part of an injected burst."""
POOL = 1_500
"""Negative stories a year that are renamed and scored again, to be injected."""


def tweets(settings: Settings) -> "pd.DataFrame":
    """All rows from `FIRST` on with `minute`, `relevance` (0 to 1), `leader` (first of its story for its ticker).

    Leaders have `negative` too.

    Raises:
        UserError: the data is missing.
    """
    import pandas as pd

    frame = pd.read_parquet(_need(settings, "tweets.parquet"))
    frame = frame[frame["created_at"] >= pd.Timestamp(FIRST, tz=frame["created_at"].dt.tz)]
    frame = frame.sort_values(["created_at", "id", "ticker"], kind="stable", ignore_index=True)
    cache = cache_path(settings, "tweets")
    if cache.is_file():
        return frame.join(pd.read_parquet(cache))
    relevances, spans, others = _links(frame)
    leader = _leaders(frame, settings)
    negative = np.zeros(len(frame), np.float32)
    passages = [Passage(str(frame["text"].iat[row]), spans[row], others[row]) for row in np.flatnonzero(leader).tolist()]
    negative[leader] = _negatives(passages, settings, "scoring tweets", cache.with_suffix(".npy"))
    made = pd.DataFrame(
        {
            "minute": frame["created_at"].astype("int64") // (60 * 1_000_000),
            "relevance": np.array(relevances, np.float32) / 100,
            "leader": leader,
            "negative": negative,
            "start": [span[0] if span else -1 for span in spans],
            "end": [span[1] if span else -1 for span in spans],
        }
    )
    _store(made, cache)
    return frame.join(made)


def negative_stories(settings: Settings, frame: "pd.DataFrame", year: int) -> "pd.DataFrame":
    """A pool of real negative stories of a year, each with its company renamed and scored again.

    Columns `ticker` (whose story it was), `relevance` and `negative`, as scored under the other name.
    """
    import pandas as pd

    cache = cache_path(settings, f"renamed-{year}")
    if cache.is_file():
        return pd.read_parquet(cache)
    own = frame[(frame["created_at"].dt.year == year) & frame["leader"] & (frame["negative"] >= NEGATIVE) & (frame["start"] >= 0)]
    rng = np.random.default_rng(year)
    own = own.iloc[np.sort(rng.choice(len(own), min(POOL, len(own)), replace=False))].reset_index(drop=True)
    names = np.array(sorted(frame["ticker"].unique()))
    passages = []
    for row in own.itertuples():
        other = str(rng.choice(names[names != row.ticker]))
        passages.append(_renamed(str(row.text), str(row.ticker), (int(row.start), int(row.end)), other))
    scored = _negatives(passages, settings, f"scoring renamed stories of {year}", cache.with_suffix(".npy"))
    made: pd.DataFrame = own[["ticker", "relevance"]].assign(negative=scored)
    _store(made, cache)
    return made


def _renamed(text: str, ticker: str, span: Span, other: str) -> Passage:
    """The text with its company's mark, and every cashtag of it, replaced by another's; other cashtags are other companies."""
    name = f"${other}"
    before = _cashtags(text[: span[0]], ticker, name)
    renamed = before + name + _cashtags(text[span[1] :], ticker, name)
    others = tuple(match.span() for match in CASHTAG.finditer(renamed) if match[0] != name)
    return Passage(renamed, (len(before), len(before) + len(name)), others)


def _cashtags(text: str, ticker: str, name: str) -> str:
    return CASHTAG.sub(lambda match: name if match[0][1:].upper() == ticker else match[0], text)


def prices(settings: Settings) -> "pd.DataFrame":
    """Daily bars: ticker, date, adj_close and the rest."""
    import pandas as pd

    return pd.read_parquet(_need(settings, "prices.parquet"))


def sectors(settings: Settings) -> dict[str, str]:
    """Sector of each ticker."""
    lines = _need(settings, "companies.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return {symbol.lstrip("$"): sector for sector, symbol, _ in (line.split("\t") for line in lines)}


def _links(frame: "pd.DataFrame") -> tuple[list[int], list[Span | None], list[tuple[Span, ...]]]:
    """Relevance and span of each row's company, and its text's other spans; those of a mere hint where it is not named."""
    import pandas as pd

    table = load_companies()
    linker, index = Linker(table), TickerIndex(table)
    relevances = [0] * len(frame)
    spans: list[Span | None] = [None] * len(frame)
    others: list[tuple[Span, ...]] = [()] * len(frame)
    for rows in _together(list(frame["id"])):
        at = pd.Timestamp(str(frame["created_at"].iat[rows[0]])).to_pydatetime()
        tickers = [str(frame["ticker"].iat[row]) for row in rows]
        links = {link.company_id: link for link in linker.link(str(frame["text"].iat[rows[0]]), "", tickers, at)}
        for row, ticker in zip(rows, tickers, strict=True):
            company = index.find(ticker, at)
            link = links.get(company.id) if company else None
            relevances[row] = link.relevance if link else round(100 * link_relevance.HINT)
            spans[row] = link.span if link else None
            others[row] = others_of(link, links.values()) if link else ()
    return relevances, spans, others


def _together(keys: Sequence[str]) -> Iterator[list[int]]:
    """Numbers of the rows of each key."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        places[key].append(row)
    yield from places.values()


def _leaders(frame: "pd.DataFrame", settings: Settings) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Whether a row is the first of its story for its ticker; stories as `streams.logic.stories` defines them."""
    first = frame.drop_duplicates("id")
    signatures = sketches.signatures(list(first["text"]))
    bands = sketches.bands(signatures)
    window = int(settings.story.window_h * 3600 * 1_000_000)
    times = first["created_at"].astype("int64").to_numpy()
    story = np.arange(len(first))
    shelves: defaultdict[int, list[int]] = defaultdict(list)
    for one in range(len(first)):
        near: set[int] = set()
        for band in bands[one]:
            shelf = shelves[int(band)]
            while shelf and times[shelf[0]] < times[one] - window:
                shelf.pop(0)
            near.update(shelf)
            shelf.append(one)
        if near:
            others = np.array(sorted(near))
            alike = others[sketches.similarities(signatures[one], signatures[others]) >= settings.story.similarity]
            if len(alike):
                story[one] = story[alike[0]]
    stories_of = dict(zip(first["id"], story, strict=True))
    return ~frame.assign(story=[stories_of[key] for key in frame["id"]]).duplicated(["ticker", "story"]).to_numpy()


def _negatives(
    passages: Sequence[Passage], settings: Settings, what: str, half_done: Path
) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """P(negative) of each passage. What was scored is kept in `half_done` until all of it is, so that a run can be cut short."""
    from models.engine import load_engine

    engine = load_engine(settings)
    place = engine.sentiment_labels.index("negative")
    different = list(dict.fromkeys(passages))
    scored: list[float] = np.load(half_done).tolist() if half_done.is_file() else []
    half_done.parent.mkdir(parents=True, exist_ok=True)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=len(different), completed=len(scored))
        while len(scored) < len(different):
            chunk = different[len(scored) : len(scored) + CHUNK]
            scored += [score.sentiment[place] for score in engine.score(chunk)]
            np.save(half_done, np.array(scored))
            progress.advance(task, len(chunk))
    half_done.unlink()
    found = dict(zip(different, scored, strict=True))
    return np.array([found[passage] for passage in passages], np.float32)


def _need(settings: Settings, name: str) -> Path:
    path = settings.data_dir / "stocknet" / name
    if not path.is_file():
        raise UserError(f"{path} is missing: point SQUALL_DATA_DIR at the folder that holds StockNet, or use --quick")
    return path


def cache_path(settings: Settings, name: str) -> Path:
    """Where what was made of the data is kept."""
    digest = hashlib.sha256(_need(settings, "tweets.parquet").read_bytes())
    digest.update(load_artifact(settings.model.dir or SHIPPED).version.encode())
    for file in (linking.__file__, link_relevance.__file__, sketches.__file__, stories.__file__):
        digest.update(Path(file).read_bytes())
    digest.update(f"{VERSION} {settings.story.model_dump_json()}".encode())
    return settings.home / "bench" / f"{name}-{digest.hexdigest()[:16]}.parquet"


def _store(frame: "pd.DataFrame", path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    frame.to_parquet(partial)
    partial.replace(path)
