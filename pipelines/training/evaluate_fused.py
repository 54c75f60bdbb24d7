"""All figures of the fused model, from the predictions that its runs wrote."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.alignment import MODALITIES
from pipelines.training.bootstrap import Interval, average_precision, mean_difference, precision_difference
from pipelines.training.evaluate_charts import CHARTS, chart_figures
from pipelines.training.fused_config import QUARTERS
from pipelines.training.imputation import GAN, RIDGE
from pipelines.training.train_fused import PREDICTIONS, SUMMARY
from squall.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]
Figures = dict[str, Any]

PRECISION_DRAWS = 300
TASKS = ("adjusted", "raw", "tradable")
SINGLE = ("text", "price", "chart")
PARTS = ("text+price", *SINGLE)
BRINGS = {"text": ("text+price", "price"), "price": ("text+price", "text"), "chart": ("fused", "text+price")}
"""Of each modality the models with it and without it that are otherwise alike."""


class Finished(NamedTuple):
    """Finished runs: the predictions of each group and seed, the summaries of the same runs, and what is said of charts."""

    predictions: dict[str, dict[int, pd.DataFrame]]
    summaries: list[Figures]
    charts: pd.DataFrame | None = None


def read_predictions(out: Path) -> Finished:
    """The predictions of finished runs: group, then seed; folds of a walk one after the other, rows in order of ids.

    A walk that has not all its folds yet is left out.

    Raises:
        UserError: there are none, or runs that are compared were made on different splits.
    """
    import pandas as pd

    found: defaultdict[tuple[str, int], list[tuple[Figures, pd.DataFrame]]] = defaultdict(list)
    hashes: defaultdict[tuple[str, int | None], set[str]] = defaultdict(set)
    for path in sorted(out.rglob(SUMMARY)):
        told = json.loads(path.read_text())
        run = told["run"]
        frame = pd.read_parquet(path.parent / PREDICTIONS)
        hashes[run["task"], run["quarter"]].update({told["split"], *frame["split"].unique()})
        found[run["group"], run["seed"]].append((told, frame))
    whole = {key: runs for key, runs in found.items() if runs[0][0]["run"]["quarter"] is None or len(runs) == QUARTERS}
    if not whole:
        raise UserError(f"no finished runs in {out}: train them with `squall train fused`")
    mixed = [task for (task, _), seen in hashes.items() if len(seen) > 1]
    if mixed:
        raise UserError(f"{out} holds runs of different splits ({mixed[0]}): train them again into a folder of their own")
    predictions: defaultdict[str, dict[int, pd.DataFrame]] = defaultdict(dict)
    for (group, seed), runs in whole.items():
        frames = pd.concat([frame for _, frame in runs])
        predictions[group][seed] = frames.sort_values(["part", "id"], ignore_index=True)
    charts = pd.read_parquet(out / CHARTS) if (out / CHARTS).is_file() else None
    return Finished(dict(predictions), [told for runs in whole.values() for told, _ in runs], charts)


def figures(finished: Finished, masked: Finished | None = None) -> Figures:
    """Every figure: of each task and model accuracy, MCC and average precision over seeds, differences, and the ablation.

    `masked` are runs of the same splits whose texts named no company.
    """
    result: Figures = {"made": made(finished.summaries), "tasks": {}}
    for task in TASKS:
        models = {
            group.split("/")[1]: [frame[frame["part"] == "test"] for frame in seeds.values()]
            for group, seeds in finished.predictions.items()
            if group.split("/")[0] == task
        }
        if models:
            protocols = {"A": True, "B": False} if task == "raw" else {"B": False}
            result["tasks"][task] = {name: direction_figures(models, paper) for name, paper in protocols.items()}
            if task == "adjusted":
                result["falls"] = {name: impact_figures(frames) for name, frames in models.items()}
                if "fused" in models:
                    result["impact"] = result["falls"]["fused"] | {"uncorrected": uncorrected_figures(models["fused"])}
    dev = {
        group.split("/")[1]: [frame[frame["part"] == "dev"] for frame in seeds.values()]
        for group, seeds in finished.predictions.items()
        if group.startswith("ablation/")
    }
    result["ablation"] = ablation_figures(dev, result["made"]["default"])
    imagined = {name: imputation_figures(frames) for name, frames in dev.items() if name.endswith("-gan")}
    result["imputation"] = {name: own for name, own in imagined.items() if own}
    result["charts"] = {} if finished.charts is None else chart_figures(finished.charts)
    result["masked"] = masked_figures(finished, masked) if masked else {}
    return result


def masked_figures(named: Finished, masked: Finished) -> Figures:
    """Accuracy of the market-adjusted direction with names masked, and less the same with names, over the seeds that both have.

    Raises:
        UserError: they were made on different splits.
    """
    told: Figures = {}
    for group, hidden in masked.predictions.items():
        seeds = sorted(hidden.keys() & named.predictions.get(group, {}).keys())
        if group.split("/")[0] != "adjusted" or not seeds:
            continue
        pairs = [[own[own["part"] == "test"] for own in (hidden[seed], named.predictions[group][seed])] for seed in seeds]
        if any(set(one["split"]) != set(other["split"]) for one, other in pairs):
            raise UserError("the runs with names and those without were made on different splits")
        right = [np.mean([accuracy(frame) for frame in frames], axis=0) for frames in zip(*pairs, strict=True)]
        days = pairs[0][0].loc[pairs[0][0]["direction"].notna(), "day"].to_numpy()
        told[group.split("/")[1]] = spread([accuracy(one).mean() for one, _ in pairs], "accuracy") | {
            "less_named": _rounded(mean_difference(days, *right))
        }
    return told


def made(summaries: list[Figures]) -> Figures:
    """What the runs were made with: how many, on what, at what cost, and which variant is the default."""
    plain = [told["run"] for told in summaries if not told["run"]["group"].startswith("ablation/")]
    return {
        "runs": len(summaries),
        "seeds": len({told["run"]["seed"] for told in summaries}),
        "device": sorted({str(told["device"]) for told in summaries}),
        "cores": max(int(told["cores"]) for told in summaries),
        "threads": max(int(told["threads"]) for told in summaries),
        "cpu_seconds": round(float(np.median([told["cpu_seconds"] for told in summaries])), 1),
        "default": f"{plain[0]['alignment']}-{plain[0]['joint']}" if plain else None,
        "trusts": trusts(summaries),
    }


def trusts(summaries: list[Figures]) -> Figures:
    """Of the fused model in each task how far each head's correction is trusted, as a mean over runs."""
    found: defaultdict[str, list[Figures]] = defaultdict(list)
    for told in summaries:
        if told["run"]["model"] == "fused" and not told["run"]["group"].startswith("ablation/"):
            found[told["run"]["task"]].append(told["trusts"])
    return {task: {head: round(float(np.mean([one[head] for one in own])), 3) for head in own[0]} for task, own in found.items()}


def ablation_figures(dev: dict[str, list[pd.DataFrame]], default: str | None) -> Figures:
    """Log likelihood and accuracy of each variant on dev, and its log likelihood less that of the default, over days."""
    told: Figures = {}
    standard = None if default not in dev else np.mean([likelihoods(frame) for frame in dev[default]], axis=0)
    for name, frames in dev.items():
        each = [likelihoods(frame) for frame in frames]
        told[name] = spread([float(values.mean()) for values in each], "log_likelihood") | spread(
            [accuracy(frame).mean() for frame in frames], "accuracy"
        )
        if standard is not None and name != default:
            days = frames[0].loc[frames[0]["direction"].notna(), "day"].to_numpy()
            told[name]["less_default"] = _rounded(mean_difference(days, np.mean(each, axis=0), standard))
    return told


def imputation_figures(frames: list[pd.DataFrame]) -> Figures:
    """Of each modality how far from it the imagined one is on dev, and a ridge regression's guess, in units of its variance."""
    told: Figures = {}
    for name in MODALITIES:
        if f"{GAN}_{name}" not in frames[0]:
            continue
        known = [frame[frame[f"{GAN}_{name}"].notna()] for frame in frames]
        gan, ridge = (np.mean([frame[f"{kind}_{name}"] for frame in known], axis=0) for kind in (GAN, RIDGE))
        gap = mean_difference(known[0]["day"].to_numpy(), gan, ridge)
        told[name] = {"gan": round(float(gan.mean()), 4), "ridge": round(float(ridge.mean()), 4), "less_ridge": _rounded(gap)}
    return told


def direction_figures(models: dict[str, list[pd.DataFrame]], paper: bool) -> Figures:
    """Accuracy and MCC of each model beside always-up; fused less each, with an interval over days."""
    judged = {
        name: [frame[frame["direction"].notna() & (frame["paper"] if paper else True)] for frame in frames]
        for name, frames in models.items()
    }
    first = next(iter(judged.values()))[0]
    told: Figures = {"rows": len(first), "days": int(first["day"].nunique()), "always_up": float(first["direction"].mean())}
    right = {name: np.mean([accuracy(frame) for frame in frames], axis=0) for name, frames in judged.items()}
    for name, frames in judged.items():
        told[name] = spread([accuracy(frame).mean() for frame in frames], "accuracy") | spread([mcc(f) for f in frames], "mcc")
    days = first["day"].to_numpy()
    told["brings"] = {
        name: _rounded(mean_difference(days, right[with_it], right[without]))
        for name, (with_it, without) in BRINGS.items()
        if with_it in right and without in right
    }
    if "fused" in judged:
        always = first["direction"].to_numpy()
        against = {**{name: right[name] for name in PARTS if name in right}, "always_up": always, "always_down": 1 - always}
        told["fused_less"] = {name: _rounded(mean_difference(days, right["fused"], other)) for name, other in against.items()}
    return told


def impact_figures(frames: list[pd.DataFrame]) -> Figures:
    """Average precision of falls: the head's over seeds beside the 60-day volatility's, where that is known."""
    known = [frame[frame["volatility"].notna()] for frame in frames]
    first = known[0]
    truth, volatility = first["fall"].to_numpy(), first["volatility"].to_numpy()
    flat = np.ones(len(truth))
    scores = [frame["p_fall"].to_numpy() for frame in known]
    gap = precision_difference(first["day"].to_numpy(), truth, scores, volatility, PRECISION_DRAWS)
    return {
        "rows": len(first),
        "share_of_falls": round(float(truth.mean()), 4),
        **spread([average_precision(truth, score, flat) for score in scores], "average_precision"),
        "volatility_average_precision": round(average_precision(truth, volatility, flat), 4),
        "less_volatility": _rounded(gap),
        "ships": gap.low > 0,
    }


def uncorrected_figures(frames: list[pd.DataFrame]) -> Figures:
    """Figures of the impact head's regression on volatilities by itself; what the correction adds to its average precision."""
    known = [frame[frame["volatility"].notna()] for frame in frames]
    corrected, alone = ([frame[name].to_numpy() for frame in known] for name in ("p_fall", "p_fall_uncorrected"))
    # The regression has no seed: it is the same in every run of a fold.
    gap = precision_difference(known[0]["day"].to_numpy(), known[0]["fall"].to_numpy(), corrected, alone[0], PRECISION_DRAWS)
    return {
        **impact_figures([frame.assign(p_fall=frame["p_fall_uncorrected"]) for frame in frames[:1]]),
        "correction_adds": _rounded(gap),
    }


def accuracy(frame: pd.DataFrame) -> Array:
    """1 where the direction is right, 0 where it is wrong, of the rows that have one."""
    own = frame[frame["direction"].notna()]
    return np.asarray((own["p_up"] >= 0.5) == (own["direction"] == 1), dtype=np.float64)


def likelihoods(frame: pd.DataFrame) -> Array:
    """Log likelihood of the direction of each row that has one."""
    own = frame[frame["direction"].notna()]
    told = np.where(own["direction"] == 1, own["p_up"], 1 - own["p_up"])
    return np.asarray(np.log(np.clip(told, 1e-7, 1)))


def mcc(frame: pd.DataFrame) -> float:
    """Matthews correlation of the directions."""
    from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(frame["direction"] == 1, frame["p_up"] >= 0.5))


def spread(values: list[float], name: str) -> Figures:
    """Mean and standard deviation over seeds."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {name: round(float(np.mean(values)), 4), f"{name}_std": round(deviation, 4), "seeds": len(values)}


def _rounded(interval: Interval) -> list[float]:
    return [round(part, 4) for part in interval]
