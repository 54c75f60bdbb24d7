"""Figures of the fused model: intervals over days, average precision, and the runs of a configuration."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.training.bootstrap import average_precision, day_weights, mean_difference, precision_difference
from pipelines.training.evaluate_fused import (
    Finished,
    ablation_figures,
    direction_figures,
    impact_figures,
    imputation_figures,
    masked_figures,
    trusts,
    uncorrected_figures,
)
from pipelines.training.fused_config import DEFAULT, FusedConfig, read_config, runs_of
from pipelines.training.fused_report import report_text
from pipelines.training.results_page import write_part
from squall.errors import UsageError, UserError

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
            "p_fall_uncorrected": chance,
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
    told = {"made": MADE, "tasks": {}, "ablation": {}, "imputation": {}, "charts": {}}
    assert "ships switched off" in report_text({**told, "falls": {"fused": bad}})
    assert "head ships." in report_text({**told, "falls": {"fused": good}})


def test_what_the_fused_vector_adds_is_told_apart_from_what_the_volatilities_say() -> None:
    skilled = predictions(1.0)
    told = uncorrected_figures([skilled, skilled])
    assert told["average_precision"] < 0.7
    assert told["less_volatility"] == [0, 0, 0]
    assert told["correction_adds"][1] > 0.2
    falls = {"fused": impact_figures([skilled])}
    page = report_text(
        {
            "made": MADE,
            "tasks": {},
            "ablation": {},
            "imputation": {},
            "charts": {},
            "falls": falls,
            "impact": {"uncorrected": told},
        }
    )
    assert "| volatilities | 0." in page
    assert "adds to it: +0." in page


def test_how_far_the_fused_models_corrections_are_trusted_is_told() -> None:
    def run(model: str, group: str, trust: float) -> dict[str, object]:
        return {"run": {"model": model, "group": group, "task": "raw"}, "trusts": {"direction": trust, "impact": 0.0}}

    runs = [run("fused", "raw/fused", 0.5), run("fused", "raw/fused", 1.0), run("text", "raw/text", 0.0)]
    told = trusts([*runs, run("fused", "ablation/nmf-gan", 0.0)])
    assert told == {"raw": {"direction": 0.75, "impact": 0.0}}
    page = report_text({"made": MADE | {"trusts": told}, "tasks": {}, "ablation": {}, "imputation": {}, "charts": {}})
    assert "Mean over runs: raw direction 0.75, impact 0.00." in page


MADE = {"runs": 2, "seeds": 1, "device": ["cpu"], "cores": 2, "threads": 1, "cpu_seconds": 20.5, "default": "mlp-attention"}


def test_what_a_modality_brings_is_said_in_words() -> None:
    blind, seeing = [predictions(0.0)], [predictions(1.0)]
    own = direction_figures({"fused": seeing, "text+price": seeing, "text": blind, "price": seeing}, paper=False)
    assert own["brings"]["chart"] == own["brings"]["text"] == [0, 0, 0]
    assert own["brings"]["price"][1] > 0
    table = report_text({"made": MADE, "tasks": {"raw": {"B": own}}, "ablation": {}, "imputation": {}, "charts": {}})
    assert "- text: not shown to help. text+price less price: +0.0000" in table
    assert "- price: helps. text+price less text: +" in table
    assert "2 CPU cores, 1 thread(s). 2 runs, 1 seed(s)" in table
    assert "as published" not in table
    paper = report_text({"made": MADE, "tasks": {"raw": {"A": own}}, "ablation": {}, "imputation": {}, "charts": {}})
    assert "| StockNet, as published | | 0.582 | 0.081 | |" in paper


def test_a_variant_is_judged_against_the_default_over_days() -> None:
    told = ablation_figures({"mlp-attention": [predictions(0.2)], "nmf-concat": [predictions(0.9)]}, "mlp-attention")
    assert told["nmf-concat"]["less_default"][1] > 0
    assert "less_default" not in told["mlp-attention"]
    table = report_text({"made": MADE, "tasks": {}, "ablation": told, "imputation": {}, "charts": {}})
    assert "The default is not within noise of the best: better are nmf-concat." in table


def finished(skill: float, split: str = "one") -> Finished:
    frame = predictions(skill).assign(part="test", split=split)
    return Finished({"adjusted/fused": {1: frame}, "raw/fused": {1: frame}, "adjusted/text": {2: frame}}, [])


def test_masked_names_are_judged_beside_the_same_runs_with_names() -> None:
    named = finished(1.0)
    del named.predictions["adjusted/text"]
    told = masked_figures(named, finished(0.0))
    assert list(told) == ["fused"]
    assert told["fused"]["less_named"][2] < 0
    page = report_text({"made": MADE, "tasks": {}, "ablation": {}, "imputation": {}, "charts": {}, "masked": told})
    assert "| fused | 1 | 0." in page
    with pytest.raises(UserError, match="different splits"):
        masked_figures(named, finished(0.0, "another"))


def test_what_is_imagined_is_judged_beside_ridge_where_all_is_known() -> None:
    errors = {
        f"{kind}_{name}": np.ones(len(DAYS)) for kind in ("gan_error", "ridge_error") for name in ("text", "price", "chart")
    }
    frame = predictions(0.5).assign(**errors)
    frame["gan_error_price"] = np.where(DAYS < 20, 0.5, np.nan)
    told = imputation_figures([frame])
    assert told["price"] == {"gan": 0.5, "ridge": 1.0, "less_ridge": [-0.5, -0.5, -0.5]}
    assert told["text"]["less_ridge"] == [0, 0, 0]
    table = report_text({"made": MADE, "tasks": {}, "ablation": {}, "imputation": {"mlp-gan": told}, "charts": {}})
    assert "| mlp-gan | price | 0.5000 | 1.0000 | -0.5000 (-0.5000 to -0.5000) | beats ridge |" in table
    assert imputation_figures([predictions(0.5)]) == {}


def test_the_page_keeps_what_is_not_ours(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "results.md"
    page.parent.mkdir()
    page.write_text("# Results\n\nText model.\n")
    write_part(page, "fused", "The fused model", "one")
    write_part(page, "text", "The text model", "three")
    write_part(page, "fused", "The fused model", "two")
    text = page.read_text()
    assert text.startswith("# Results\n\nText model.\n")
    assert "## The fused model\n\n<!-- fused: begin -->\ntwo\n<!-- fused: end -->\n\n## The text model" in text
    assert "<!-- text: begin -->\nthree\n<!-- text: end -->" in text
    assert "one" not in text


def test_the_configuration_that_ships_is_the_default_and_names_every_run_once() -> None:
    config = read_config(DEFAULT)
    assert config == FusedConfig(ablation_seeds=(1, 2, 3), pretrain={"before": "2014-11-01"})
    names = Counter(run.name for run in runs_of(config))
    assert max(names.values()) == 1
    # Of each of 3 seeds 5 models over 4 folds and 2 published splits; 3 x 4 alignments and joints and 3 terms off.
    assert len(names) == 3 * (5 * (4 + 1 + 1) + 12 + 3)


def test_the_first_seeds_may_be_asked_for_alone() -> None:
    config = FusedConfig(seeds=(4, 5, 6), ablation_seeds=(4,))
    names = [run.name for run in runs_of(config.first_seeds(2))]
    assert {name.rsplit("-", 1)[1] for name in names} == {"4", "5"}
    assert [name.rsplit("-", 1)[1] for name in names] == sorted(name.rsplit("-", 1)[1] for name in names)
    with pytest.raises(UsageError, match="--seeds 4"):
        config.first_seeds(4)


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
