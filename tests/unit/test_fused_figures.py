"""Figures of the fused model: intervals over days, average precision, and the runs of a configuration."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.training.bootstrap import average_precision, day_weights, mean_difference, precision_difference
from pipelines.training.evaluate_fused import BEGIN, direction_figures, impact_figures, report_text, write_results
from pipelines.training.fused_config import DEFAULT, FusedConfig, read_config, runs_of
from squall.errors import UsageError

RNG = np.random.default_rng(1)
DAYS = np.repeat(np.arange(40), 10)


def test_days_are_drawn_whole() -> None:
    weights = day_weights(DAYS, 50)
    assert (weights.sum(axis=1) == len(DAYS)).all()
    assert (weights.reshape(50, 40, 10) == weights.reshape(50, 40, 10)[:, :, :1]).all()


def test_rows_that_move_together_give_a_wider_interval() -> None:
    together = np.repeat(RNG.integers(0, 2, 40), 10).astype(float)
    apart = RNG.permutation(together)
    nothing = np.zeros(len(DAYS))
    one, other = mean_difference(DAYS, together, nothing), mean_difference(DAYS, apart, nothing)
    assert one.value == pytest.approx(other.value)
    assert one.high - one.low > 2 * (other.high - other.low)


def test_average_precision_is_that_of_the_library_also_with_ties_and_weights() -> None:
    from sklearn.metrics import average_precision_score

    truth = RNG.integers(0, 2, 300).astype(float)
    weights = RNG.integers(0, 4, 300).astype(float)
    for scores in (RNG.random(300), RNG.integers(0, 5, 300).astype(float)):
        wanted = average_precision_score(truth, scores, sample_weight=weights)
        assert average_precision(truth, scores, weights) == pytest.approx(wanted)


def test_a_better_score_has_an_interval_above_zero_and_the_same_score_none() -> None:
    truth = RNG.integers(0, 2, len(DAYS)).astype(float)
    noise = RNG.random(len(DAYS))
    better = precision_difference(DAYS, truth, [truth + noise], noise, 100)
    assert better.low > 0
    assert precision_difference(DAYS, truth, [noise], noise, 100) == (0, 0, 0)


def predictions(skill: float) -> pd.DataFrame:
    chance = RNG.random(len(DAYS))
    return pd.DataFrame(
        {
            "day": DAYS.astype(str),
            "paper": DAYS % 2 == 0,
            "direction": np.where(np.arange(len(DAYS)) % 5 == 0, np.nan, UP),
            "p_up": skill * UP + (1 - skill) * chance,
            "fall": 1 - UP,
            "p_fall": skill * (1 - UP) + (1 - skill) * chance,
            "volatility": np.where(DAYS == 0, np.nan, chance),
        }
    )


UP = RNG.integers(0, 2, len(DAYS)).astype(float)


def test_rows_without_a_label_and_outside_the_protocol_are_not_judged() -> None:
    told = direction_figures({"fused": [predictions(1.0)] * 2, "text": [predictions(0.0), predictions(0.0)]}, paper=True)
    assert told["rows"] == 160
    assert told["days"] == 20
    assert told["fused"] == {"accuracy": 1.0, "accuracy_std": 0.0, "mcc": 1.0, "mcc_std": 0.0, "seeds": 2}
    assert told["text"]["accuracy_std"] > 0
    assert told["fused_less"]["text"][1] > 0
    assert direction_figures({"fused": [predictions(1.0)]}, paper=False)["rows"] == 320


def test_the_impact_head_ships_only_where_it_beats_volatility() -> None:
    good, bad = impact_figures([predictions(1.0)]), impact_figures([predictions(0.0)])
    assert good["rows"] == 390
    assert good["ships"] is True
    assert bad["ships"] is False
    table = report_text({"tasks": {}, "impact": bad, "ablation": {}})
    assert "ships switched off" in table


def test_the_page_keeps_what_is_not_ours(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "results.md"
    page.parent.mkdir()
    page.write_text("# Results\n\nText model.\n")
    write_results(page, "one")
    write_results(page, "two")
    text = page.read_text()
    assert text.startswith("# Results\n\nText model.\n")
    assert f"{BEGIN}\ntwo\n" in text
    assert "one" not in text


def test_the_configuration_that_ships_is_the_default_and_names_every_run_once() -> None:
    config = read_config(DEFAULT)
    assert config == FusedConfig(ablation_seeds=(1,), pretrain={"before": "2014-11-01"})
    names = Counter(run.name for run in runs_of(config))
    assert max(names.values()) == 1
    # 4 models and 3 seeds over 4 folds and 2 published splits; 3 x 4 alignments and joints and 3 terms off.
    assert len(names) == 4 * 3 * (4 + 1 + 1) + 12 + 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("joint: magic", "joint"),
        ("colour: red", "colour"),
        ("drop: 1.5", "drop"),
        ("pretrain: {speed: 3}", "pretrain"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_bad_configuration_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_config(path)
    with pytest.raises(UsageError, match="cannot read"):
        read_config(tmp_path / "none.yaml")
