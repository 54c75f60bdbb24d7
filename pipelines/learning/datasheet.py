"""The datasheet of a data set: what is in it, where from, how balanced, what was left out. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipelines.learning.dataset import FORMAT, LARGEST_TEST, TEST_DAYS, Built, parts_of
from pipelines.learning.labels import pair_agreement
from pipelines.training.datasets import SENTIMENTS, Task

SOURCES = {
    "people": "sentiment that people gave to scored news at the dashboard, for the company that is marked in the text",
    "people_topic": "topic that people gave to it; one left as the model had it is no label",
    "tfns_sentiment": "tweets, bearish, bullish or neutral: MIT, zeroshot/twitter-financial-news-sentiment",
    "tfns_topic": "tweets with one of 20 topics: MIT, zeroshot/twitter-financial-news-topic",
    "sentfin": "headlines with a sentiment for each company named: MIT, pyRis/SEntFiN",
}


def datasheet(built: Built, as_of: datetime) -> dict[str, Any]:
    """The datasheet as plain values."""
    data = built.data
    labels: dict[Task | None, tuple[str, ...]] = {"sentiment": SENTIMENTS, "topic": data.topics}
    balance: dict[str, dict[str, dict[str, int]]] = {}
    for part, rows in parts_of(data):
        counts = Counter((row.source, labels[row.task][row.label]) for row in rows if row.task)
        for (source, label), count in sorted(counts.items()):
            balance.setdefault(source, {}).setdefault(label, {})[part] = count
    pairs, same = pair_agreement(built.labelled)
    times = [one.event_time for one in built.labelled]
    return {
        "format": FORMAT,
        "version": data.version,
        "as_of": as_of.isoformat(),
        "topics": list(data.topics),
        "sources": {name: SOURCES[name] for name in balance},
        "rows": {
            source: {part: sum(counts.get(part, 0) for counts in found.values()) for part in ("train", "held_out", "test")}
            for source, found in balance.items()
        },
        "balance": balance,
        "people": {
            "mentions": len(built.labelled),
            "sampled": sum(one.sampled for one in built.labelled),
            "queues": dict(sorted(Counter(answer.queue for one in built.labelled for answer in one.answers).items())),
            "labellers": len({answer.labeller for one in built.labelled for answer in one.answers}),
            "pairs_of_labellers": pairs,
            "pairs_that_agree": same,
            "first": min(times).isoformat() if times else None,
            "last": max(times).isoformat() if times else None,
            "judged_from": built.cut.isoformat() if built.cut else None,
        },
        "dropped_near_copies": data.dropped,
        "bad_rows": dict(sorted(Counter(f"{one.source}: {_kind(one.reason)}" for one in built.bad).items())),
    }


def page(sheet: Mapping[str, Any]) -> str:
    """The datasheet as Markdown."""
    people = sheet["people"]
    lines = [f"# Data set {sheet['version']}", "", f"Labels as they stood at {sheet['as_of']}.", ""]
    lines += ["| source | train | held out | test | what |", "|---|---:|---:|---:|---|"]
    for source, counts in sheet["rows"].items():
        numbers = " | ".join(f"{counts[part]:,}" for part in ("train", "held_out", "test"))
        lines.append(f"| {source} | {numbers} | {sheet['sources'][source]} |")
    lines += ["", "## Labels of people", ""]
    if people["mentions"]:
        queues = ", ".join(f"{count:,} {name}" for name, count in people["queues"].items())
        lines.append(
            f"{people['mentions']:,} mentions by {people['labellers']} labellers, from {people['first']} to {people['last']}; "
            f"answers by queue: {queues}. {people['sampled']:,} mentions belong to the fair sample, by which models are judged."
        )
        if people["pairs_of_labellers"]:
            share = people["pairs_that_agree"] / people["pairs_of_labellers"]
            lines.append(f"Of {people['pairs_of_labellers']:,} pairs of labellers of one mention {share:.0%} agree.")
        lines.append(
            f"Stories that begin from {people['judged_from']} on are kept for judging: the newest {TEST_DAYS} days, and at most "
            f"{LARGEST_TEST:.0%} of the labels. A story and its near copies lie on one side."
        )
    else:
        lines.append("There are none.")
    lines += ["", "## Left out", ""]
    lines += [f"- {source}: {count:,} training rows that (nearly) equal one that is judged" for source, count in _some(sheet)]
    lines += [f"- {reason}: {count:,} (in bad_rows.jsonl)" for reason, count in sheet["bad_rows"].items()]
    lines.append("- weak labels from prices: none are made; a day's move says too little about one text")
    lines += ["", "## Balance", "", "| source | label | train | held out | test |", "|---|---|---:|---:|---:|"]
    for source, found in sheet["balance"].items():
        for label, counts in found.items():
            numbers = " | ".join(f"{counts.get(part, 0):,}" for part in ("train", "held_out", "test"))
            lines.append(f"| {source} | {label.replace('|', '/')} | {numbers} |")
    return "\n".join(lines) + "\n"


def _some(sheet: Mapping[str, Any]) -> list[tuple[str, int]]:
    return [(source, count) for source, count in sheet["dropped_near_copies"].items() if count]


def _kind(reason: str) -> str:
    return reason.partition(":")[0]
