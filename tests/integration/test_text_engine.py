"""The engine that ships, on its real weights."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as run
from hypothesis import strategies as st

from models.engine import TextEngine, TextScore, choose_device, load_engine
from models.passages import Passage
from pipelines.training.datasets import load_text_data
from pipelines.training.marking import marked_passage
from squall.errors import UsageError
from squall.settings import ModelSettings, Settings, get_settings

NAMES = ("Kestrel Mills", "Corvo", "Halden & Sons", "$QZT", "Bank of Nowhere")
VERBS = ("cuts its outlook", "soars", "falls 12.5% after the audit", "names a new chair", "is little changed", "sues")
TAILS = (
    "",
    " as rates rise",
    ", sources say",
    " https://example.org/1",
    "; analysts had hoped for more " * 3,
    " ünïcode 株価 🚀",
)


def passages() -> list[Passage]:
    made = []
    for i, name in enumerate(NAMES):
        for j, verb in enumerate(VERBS):
            for k, tail in enumerate(TAILS):
                lead = "Morning note. " * (k if j == 3 else 0)
                text = f"{lead}{name} {verb}{tail}"
                made.append(Passage(text, (len(lead), len(lead) + len(name)) if (i + j + k) % 3 else None))
    return [*made, Passage(""), Passage("x " * 5_000), Passage("word " * 1_500, (6_000, 6_004))]


PASSAGES = passages()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TextEngine:
    return load_engine(Settings(home=tmp_path_factory.mktemp("home"), model=ModelSettings(device="cpu", threads=1)))


@pytest.fixture(scope="module")
def alone(engine: TextEngine) -> list[TextScore]:
    return [engine.score([passage])[0] for passage in PASSAGES]


def test_a_score_is_the_same_alone_and_among_all(engine: TextEngine, alone: list[TextScore]) -> None:
    assert engine.score(PASSAGES) == alone


@run(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, len(PASSAGES) - 1), min_size=1, max_size=40))
def test_a_score_is_the_same_in_any_batch(engine: TextEngine, alone: list[TextScore], chosen: list[int]) -> None:
    assert engine.score([PASSAGES[i] for i in chosen]) == [alone[i] for i in chosen]


def test_features_are_equal_to_the_bit(engine: TextEngine) -> None:
    together = engine.features(PASSAGES)
    apart = np.concatenate([engine.features([passage]) for passage in PASSAGES])
    assert together.tobytes() == apart.tobytes()


def test_threads_batch_size_and_a_second_session_change_nothing(tmp_path: Path, alone: list[TextScore]) -> None:
    other = load_engine(Settings(home=tmp_path, model=ModelSettings(device="cpu", threads=2, batch_size=7)))
    assert other.score(PASSAGES) == alone


def test_scores_are_rounded_probabilities(engine: TextEngine, alone: list[TextScore]) -> None:
    assert engine.sentiment_labels == ("negative", "neutral", "positive")
    assert len(engine.topic_labels) == 20
    for score in alone:
        for head, labels in ((score.sentiment, engine.sentiment_labels), (score.topic, engine.topic_labels)):
            assert len(head) == len(labels)
            assert sum(head) == pytest.approx(1, abs=0.002)
            assert all(0 <= p <= 1 and round(p, 4) == p for p in head)


def test_no_passages_no_scores(engine: TextEngine) -> None:
    assert engine.score([]) == []


def test_the_marked_company_decides(engine: TextEngine) -> None:
    text = "Kestrel Mills surges to a record high as rival Corvo plunges on heavy losses"
    winner, loser = engine.score([mark(text, "Kestrel Mills"), mark(text, "Corvo")])
    assert winner.sentiment[2] > loser.sentiment[2]
    assert loser.sentiment[0] > winner.sentiment[0]


def test_it_scores_from_several_threads_at_once(engine: TextEngine, alone: list[TextScore]) -> None:
    barrier = threading.Barrier(4)

    def score(_: int) -> list[TextScore]:
        barrier.wait(timeout=30)
        return engine.score(PASSAGES[:60])

    with ThreadPoolExecutor(4) as pool:
        assert all(result == alone[:60] for result in pool.map(score, range(4)))


def test_int8_agrees_with_torch(engine: TextEngine, alone: list[TextScore], tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is installed for training and GPUs only")
    torch_engine = load_engine(Settings(home=tmp_path, model=ModelSettings(device="cpu")), "torch")
    chosen = PASSAGES[::6]
    reference = torch_engine.score(chosen)
    gaps = [difference(a, b) for a, b in zip(alone[::6], reference, strict=True)]
    assert max(gaps) < 0.3
    assert sum(gaps) / len(gaps) < 0.03
    assert torch_engine.version == engine.version


@pytest.mark.slow
def test_int8_agrees_with_float32_on_the_tweets_of_the_evaluation(engine: TextEngine, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is installed for training and GPUs only")
    folder = get_settings().data_dir
    if not (folder / "tfns_sentiment").is_dir():
        pytest.skip("the training data is not on this machine (SQUALL_DATA_DIR)")
    rows = load_text_data(folder).evaluation["tfns_sentiment"]
    passages = [marked_passage(row) for row in rows]
    exact = load_engine(Settings(home=tmp_path, model=ModelSettings(device="cpu")), "torch")
    assert exact.runtime.name == "torch float32 on cpu"
    same = [
        np.argmax(one.sentiment) == np.argmax(other.sentiment)
        for one, other in zip(engine.score(passages), exact.score(passages), strict=True)
    ]
    assert len(same) > 2_000
    assert np.mean(same) >= 0.985


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.engine.cuda_missing", lambda: "no NVIDIA driver on this machine")
    assert choose_device("auto") == "cpu"
    with pytest.raises(UsageError, match="SQUALL_MODEL__DEVICE=cuda: no NVIDIA driver"):
        choose_device("cuda")


def mark(text: str, name: str) -> Passage:
    start = text.index(name)
    return Passage(text, (start, start + len(name)))


def difference(one: TextScore, other: TextScore) -> float:
    pairs: Sequence[tuple[float, float]] = list(zip(one.sentiment, other.sentiment, strict=True))
    return max(abs(a - b) for a, b in pairs)
