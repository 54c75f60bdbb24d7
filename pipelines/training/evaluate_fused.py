"""All figures of the fused model, from the predictions that its runs wrote, and the table that docs/results.md shows."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.training.bootstrap import Interval, average_precision, mean_difference, precision_difference
from pipelines.training.train_fused import PREDICTIONS, SUMMARY
from squall.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]
Figures = dict[str, Any]

PRECISION_DRAWS = 300
BEGIN, END = "<!-- fused: begin -->", "<!-- fused: end -->"
SINGLE = ("text", "price", "chart")
TITLES = {
    "adjusted": "Direction less the market's, walking through 2015",
    "raw": "Direction, published split",
    "tradable": "Open to close, published split",
}


def read_predictions(out: Path) -> dict[str, dict[int, pd.DataFrame]]:
    """The predictions of finished runs: group, then seed; folds of a walk one after the other, rows in order of ids.

    Raises:
        UserError: there are none, or runs that are compared were made on different splits.
    """
    import pandas as pd

    found: defaultdict[str, defaultdict[int, list[pd.DataFrame]]] = defaultdict(lambda: defaultdict(list))
    hashes: defaultdict[tuple[str, int | None], set[str]] = defaultdict(set)
    for summary in sorted(out.rglob(SUMMARY)):
        told = json.loads(summary.read_text())
        run = told["run"]
        frame = pd.read_parquet(summary.parent / PREDICTIONS)
        hashes[run["task"], run["quarter"]].update({told["split"], *frame["split"].unique()})
        found[run["group"]][run["seed"]].append(frame)
    if not found:
        raise UserError(f"no finished runs in {out}: train them with `squall train fused`")
    mixed = [task for (task, _), seen in hashes.items() if len(seen) > 1]
    if mixed:
        raise UserError(f"{out} holds runs of different splits ({mixed[0]}): train them again into a folder of their own")
    return {
        group: {seed: pd.concat(frames).sort_values(["part", "id"], ignore_index=True) for seed, frames in seeds.items()}
        for group, seeds in found.items()
    }


def figures(predictions: dict[str, dict[int, pd.DataFrame]]) -> Figures:
    """Every figure: of each task and model accuracy, MCC and average precision over seeds, differences, and the ablation."""
    result: Figures = {"tasks": {}, "ablation": {}}
    for task in TITLES:
        models = {
            group.split("/")[1]: [frame[frame["part"] == "test"] for frame in seeds.values()]
            for group, seeds in predictions.items()
            if group.split("/")[0] == task
        }
        if models:
            protocols = {"A": True, "B": False} if task == "raw" else {"B": False}
            result["tasks"][task] = {name: direction_figures(models, paper) for name, paper in protocols.items()}
            if task == "adjusted" and "fused" in models:
                result["impact"] = impact_figures(models["fused"])
    for group, seeds in predictions.items():
        if group.startswith("ablation/"):
            dev = [frame[frame["part"] == "dev"] for frame in seeds.values()]
            result["ablation"][group.split("/")[1]] = spread([-log_loss(frame) for frame in dev], "log_likelihood") | spread(
                [accuracy(frame).mean() for frame in dev], "accuracy"
            )
    return result


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
    if "fused" in judged:
        days = first["day"].to_numpy()
        always = first["direction"].to_numpy()
        against = {**{name: right[name] for name in SINGLE if name in right}, "always_up": always}
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


def accuracy(frame: pd.DataFrame) -> Array:
    """1 where the direction is right, 0 where it is wrong, of the rows that have one."""
    own = frame[frame["direction"].notna()]
    return np.asarray((own["p_up"] >= 0.5) == (own["direction"] == 1), dtype=np.float64)


def log_loss(frame: pd.DataFrame) -> float:
    """Mean negative log likelihood of the directions."""
    own = frame[frame["direction"].notna()]
    told = np.where(own["direction"] == 1, own["p_up"], 1 - own["p_up"])
    return float(-np.log(np.clip(told, 1e-7, 1)).mean())


def mcc(frame: pd.DataFrame) -> float:
    """Matthews correlation of the directions."""
    from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(frame["direction"] == 1, frame["p_up"] >= 0.5))


def spread(values: list[float], name: str) -> Figures:
    """Mean and standard deviation over seeds."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {name: round(float(np.mean(values)), 4), f"{name}_std": round(deviation, 4), "seeds": len(values)}


def report_text(told: Figures) -> str:
    """The figures as Markdown."""
    lines: list[str] = []
    for task, protocols in told["tasks"].items():
        for protocol, own in protocols.items():
            lines += [
                f"**{TITLES[task]}, protocol {protocol}**: {own['rows']} rows on {own['days']} days, "
                f"always-up {own['always_up']:.1%}.",
                "",
                "| model | accuracy | MCC | fused less it (95 %, over days) |",
                "|---|---|---|---|",
            ]
            for name in (*SINGLE, "fused"):
                if name in own:
                    gap = own.get("fused_less", {}).get(name)
                    lines.append(
                        f"| {name} | {own[name]['accuracy']:.4f} ± {own[name]['accuracy_std']:.4f} "
                        f"| {own[name]['mcc']:.4f} ± {own[name]['mcc_std']:.4f} | {_shown(gap)} |"
                    )
            lines += [f"| always-up | {own['always_up']:.4f} | 0 | {_shown(own.get('fused_less', {}).get('always_up'))} |", ""]
    if "impact" in told:
        own = told["impact"]
        verdict = "The head ships." if own["ships"] else "The interval is not above 0: the impact head ships switched off."
        lines += [
            f"**Fall next day, less the market's**: {own['rows']} rows, {own['share_of_falls']:.1%} fall. Average precision "
            f"{own['average_precision']:.4f} ± {own['average_precision_std']:.4f}, of the 60-day volatility alone "
            f"{own['volatility_average_precision']:.4f}; difference {_shown(own['less_volatility'])}. {verdict}",
            "",
        ]
    if told["ablation"]:
        lines += [
            "**Ablation** on StockNet dev (market-adjusted direction).",
            "",
            "| variant | log likelihood | accuracy |",
            "|---|---|---|",
        ]
        best_first = sorted(told["ablation"].items(), key=lambda pair: -pair[1]["log_likelihood"])
        lines += [f"| {name} | {own['log_likelihood']:.4f} | {own['accuracy']:.4f} |" for name, own in best_first]
        lines.append("")
    return "\n".join(lines).rstrip()


def write_results(page: Path, report: str) -> None:
    """Put the report between the page's two marks, which are added at its end when they are not there."""
    text = page.read_text() if page.is_file() else "# Results\n"
    if BEGIN not in text:
        text = f"{text.rstrip()}\n\n## The fused model\n\n{BEGIN}\n{END}\n"
    before, rest = text.split(BEGIN, 1)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(f"{before}{BEGIN}\n{report}\n{END}{rest.split(END, 1)[1]}")


def _shown(gap: list[float] | None) -> str:
    return "" if gap is None else f"{gap[0]:+.4f} ({gap[1]:+.4f} to {gap[2]:+.4f})"


def _rounded(interval: Interval) -> list[float]:
    return [round(part, 4) for part in interval]
