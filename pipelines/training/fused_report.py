"""The figures of the fused model as Markdown, for the terminal and for docs/results.md."""

from __future__ import annotations

from pipelines.training.evaluate_fused import BRINGS, PARTS, Figures

PUBLISHED = ("0.582", "0.081")
"""Accuracy and MCC of the best variant, HedgeFundAnalyst, on these samples: Xu and Cohen, "Stock Movement Prediction from Tweets
and Historical Prices" (ACL 2018), table 1."""
TITLES = {
    "adjusted": "Direction less the market's, walking through 2015",
    "raw": "Direction, published split",
    "tradable": "Open to close, published split",
}


def report_text(told: Figures) -> str:
    """The figures as Markdown."""
    lines = _made(told["made"])
    for task, protocols in told["tasks"].items():
        for protocol, own in protocols.items():
            lines += _directions(task, protocol, own)
    lines += _falls(told.get("falls", {}), told.get("impact", {}).get("uncorrected"))
    lines += _ablation(told["ablation"], told["made"]["default"])
    lines += _imputation(told["imputation"])
    lines += _charts(told["charts"])
    lines += _masked(told.get("masked", {}))
    return "\n".join(lines).rstrip()


def _made(own: Figures) -> list[str]:
    devices = " and ".join(own["device"])
    return [
        "Printed by `squall evaluate fused --page docs/results.md` from the predictions of dev and test that each run wrote",
        "once, after its training. Data: StockNet (tweets and daily bars of 2014 and 2015). "
        f"Hardware: {devices}, {own['cores']} CPU cores, {own['threads']} thread(s). {own['runs']} runs, {own['seeds']} seed(s),",
        f"{own['cpu_seconds']:g} CPU-seconds a run in the median; default {own['default']}. "
        "± is the standard deviation over seeds",
        "(0 where there is one); brackets are 95 % intervals by resampling days, paired.",
        *_trusts(own.get("trusts", {})),
        "",
    ]


def _trusts(tasks: Figures) -> list[str]:
    if not tasks:
        return []
    told = "; ".join(f"{task} {', '.join(f'{head} {share:.2f}' for head, share in own.items())}" for task, own in tasks.items())
    return [
        "A head begins with what is known without a network (direction with the base rate, impact with a regression on",
        "volatilities) and is corrected by the fused vector as far as dev bears out, from 0, not at all, to 1. "
        f"Mean over runs: {told}.",
    ]


def _directions(task: str, protocol: str, own: Figures) -> list[str]:
    lines = [
        f"**{TITLES[task]}, protocol {protocol}**: {own['rows']} rows on {own['days']} days, always-up {own['always_up']:.1%}.",
        "",
        "| model | seeds | accuracy | MCC | fused less it |",
        "|---|---|---|---|---|",
    ]
    for name in (*PARTS, "fused"):
        if name in own:
            lines.append(
                f"| {name} | {own[name]['seeds']} | {_spread(own[name], 'accuracy')} | {_spread(own[name], 'mcc')} "
                f"| {_shown(own.get('fused_less', {}).get(name))} |"
            )
    for name, share in (("always_up", own["always_up"]), ("always_down", 1 - own["always_up"])):
        lines.append(f"| {name.replace('_', '-')} | | {share:.4f} | 0 | {_shown(own.get('fused_less', {}).get(name))} |")
    if (task, protocol) == ("raw", "A"):
        lines.append(f"| StockNet, as published | | {PUBLISHED[0]} | {PUBLISHED[1]} | |")
    lines.append("")
    for name, gap in own["brings"].items():
        with_it, without = BRINGS[name]
        lines.append(f"- {name}: {_verdict(gap)}. {with_it} less {without}: {_shown(gap)}.")
    return [*lines, ""] if own["brings"] else lines


def _falls(falls: Figures, uncorrected: Figures | None) -> list[str]:
    if not falls:
        return []
    first = next(iter(falls.values()))
    lines = [
        f"**Fall next day, less the market's**: {first['rows']} rows, {first['share_of_falls']:.1%} fall. "
        f"Average precision of the 60-day volatility alone {first['volatility_average_precision']:.4f}.",
        "",
        "| model | average precision | it less volatility |",
        "|---|---|---|",
    ]
    for name in (*PARTS, "fused"):
        if name in falls:
            own = falls[name]
            lines.append(f"| {name} | {_spread(own, 'average_precision')} | {_shown(own['less_volatility'])} |")
    if uncorrected:
        own = uncorrected
        lines += [
            f"| volatilities | {_spread(own, 'average_precision')} | {_shown(own['less_volatility'])} |",
            "",
            "The last row is the logistic regression on volatilities of 60, 20 and 5 days that the head begins with, by itself. "
            f"What the fused vector adds to it: {_shown(own['correction_adds'])}.",
        ]
    if "fused" in falls:
        ships = falls["fused"]["ships"]
        lines += ["", "The impact head ships." if ships else "The interval is not above 0: the impact head ships switched off."]
    return [*lines, ""]


def _ablation(variants: Figures, default: str | None) -> list[str]:
    if not variants:
        return []
    lines = [
        "**Ablation** on StockNet dev (market-adjusted direction).",
        "",
        "| variant | seeds | log likelihood | accuracy | log likelihood less the default's |",
        "|---|---|---|---|---|",
    ]
    best_first = sorted(variants.items(), key=lambda pair: -pair[1]["log_likelihood"])
    lines += [
        f"| {name}{' (default)' if name == default else ''} | {own['seeds']} | {_spread(own, 'log_likelihood')} "
        f"| {_spread(own, 'accuracy')} | {_shown(own.get('less_default'))} |"
        for name, own in best_first
    ]
    if default in variants:
        better = [name for name, own in best_first if "less_default" in own and own["less_default"][1] > 0]
        noise = f"The default is not within noise of the best: better are {', '.join(better)}."
        lines += ["", noise if better else "The default is the best or within noise of it."]
    return [*lines, ""]


def _imputation(variants: Figures) -> list[str]:
    if not variants:
        return []
    lines = [
        "**Imagining an absent modality** from the other two on StockNet dev: squared error in units of the modality's variance.",
        "",
        "| variant | modality | gan | ridge | gan less ridge | |",
        "|---|---|---|---|---|---|",
    ]
    for variant, modalities in variants.items():
        for name, own in modalities.items():
            low, high = own["less_ridge"][1:]
            word = "beats ridge" if high < 0 else "worse than ridge" if low > 0 else "no different"
            lines.append(f"| {variant} | {name} | {own['gan']:.4f} | {own['ridge']:.4f} | {_shown(own['less_ridge'])} | {word} |")
    return [*lines, ""]


def _charts(styles: Figures) -> list[str]:
    if not styles:
        return []
    rows = next(iter(next(iter(styles.values())).values()))["rows"]
    attributes = next(iter(styles.values()))
    lines = [
        f"**What the chart encoder reads off a chart**: accuracy on {rows} charts of bars that it never saw, and in brackets "
        "that of always saying the commonest class.",
        "",
        f"| drawn | {' | '.join(attributes)} |",
        f"|---|{'---|' * len(attributes)}",
    ]
    for style, own in styles.items():
        lines.append(f"| {style} | {' | '.join(_read(part) for part in own.values())} |")
    return [*lines, ""]


def _masked(models: Figures) -> list[str]:
    if not models:
        return []
    return [
        "**Company names masked** in the texts, of which the text model learnt from some that are later: direction less the "
        "market's, walking through 2015.",
        "",
        "| model | seeds | accuracy | less the same with names |",
        "|---|---|---|---|",
        *(
            f"| {name} | {own['seeds']} | {_spread(own, 'accuracy')} | {_shown(own['less_named'])} |"
            for name, own in models.items()
        ),
        "",
    ]


def _verdict(gap: list[float]) -> str:
    if gap[1] > 0:
        return "helps"
    return "does harm" if gap[2] < 0 else "not shown to help"


def _spread(own: Figures, name: str) -> str:
    return f"{own[name]:.4f} ± {own[f'{name}_std']:.4f}"


def _shown(gap: list[float] | None) -> str:
    return "" if gap is None else f"{gap[0]:+.4f} ({gap[1]:+.4f} to {gap[2]:+.4f})"


def _read(part: Figures) -> str:
    return f"{part['accuracy']:.3f} ({part['majority']:.3f})"
