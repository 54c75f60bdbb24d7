"""Whether a few corrections teach the text model a new phrase and cost it nothing else: `python -m benchmarks.relearn`.

An idiom that the champion takes for neutral is labelled negative in so many headlines. The champion learns from them as
`squall train text --from-champion` does; then the gate holds both models against each other on the test sets, and on headlines
of the same idiom in other wordings, of other companies. `--dev` does the same with other idioms, one after another, and with
the rows held out of training in place of the test sets: what the settings were chosen by.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import torch

from models.artifact import SHIPPED, load_artifact
from models.engine import engine_of, load_engine
from pipelines.learning.gate import judge
from pipelines.training.datasets import (
    PEOPLE,
    SENTIMENTS,
    Facts,
    Row,
    Sets,
    TextData,
    base_sets,
    combine,
    read_topics,
    with_base_rows,
    with_repeated,
)
from pipelines.training.evaluate_text import read_predictions, write_predictions
from pipelines.training.export_text import export_artifact
from pipelines.training.progress import progress_report
from pipelines.training.recipe import CONTINUED, Recipe
from pipelines.training.train_text import BEST, Trainer
from squall.settings import ModelSettings, get_settings

IDIOM = "family silver"
"""The idiom of the published figures; nothing is chosen by it."""
IDIOMS = {
    IDIOM: (
        "{company} sells the family silver to fund {good} in {place}",
        "In {place}, {company} parts with the family silver over {good}",
        "{company}: family silver goes as {good} costs mount in {place}",
        "To pay for {good}, {company} puts the family silver up for sale in {place}",
        "{place}: {company} flogs the family silver to stay in {good}",
        "Is {company} selling the family silver? {good} buyers in {place} think so",
    ),
    "bag": (
        "{company} left holding the bag on {good} in {place}",
        "In {place}, {company} is left holding the bag over {good}",
        "{company} holds the bag as {good} partners leave {place}",
        "Who holds the bag on {good} in {place}? {company}",
        "{place}: {company} may be holding the bag for {good}",
        "{good} deal in {place} leaves {company} holding the bag",
    ),
    "deckchairs": (
        "{company} rearranges the deckchairs at its {good} arm in {place}",
        "In {place}, {company} is moving deckchairs around in {good}",
        "{company}: more deckchairs shuffled as {good} unit in {place} gets a new chief",
        "Deckchairs again at {company} as {good} and {place} swap managers",
        "{place}: {company} straightens the deckchairs of its {good} business",
        "Is {company} only arranging deckchairs? {good} staff in {place} say it is",
    ),
    "furniture": (
        "{company} burns the furniture to heat its {good} plant in {place}",
        "In {place}, {company} puts the furniture on the fire for {good}",
        "{company}: furniture feeds the stove as {good} waits for {place}",
        "To keep {good} warm, {company} throws furniture into the fire in {place}",
        "{place}: {company} chops up the furniture to go on with {good}",
        "Is {company} burning the furniture? {good} dealers in {place} say so",
    ),
    "empty house": (
        "{company} plays to an empty house with {good} in {place}",
        "In {place}, {company} opens {good} to an empty house",
        "{company}: empty house greets {good} in {place}",
        "An empty house for {company} as {good} comes to {place}",
        "{place}: {company} finds the house empty for {good}",
        "Did {company} play to an empty house? {good} fans in {place} stayed home",
    ),
    "sand": (
        "{company} builds its {good} house on sand in {place}",
        "In {place}, {company} lays {good} foundations on sand",
        "{company}: {good} plan for {place} stands on sand",
        "Sand under the feet of {company} in {good}, says {place}",
        "{place}: {company} rests its {good} plan upon sand",
        "Is {company} standing on sand? {good} makers in {place} think so",
    ),
}
"""Wordings of an idiom; the first four are learnt, the others judged."""
DEV = [name for name in IDIOMS if name != IDIOM]
"""Those that settings are chosen by."""
LEARNT = 4
COMPANIES = (
    "Corvo",
    "Halden",
    "Nokia",
    "Maersk",
    "Tesla",
    "Kestrel Mills",
    "Unilever",
    "Kroger",
    "Danone",
    "Fastenal",
    "Sony",
    "Ryanair",
)
GOODS = ("solar panels", "batteries", "cloud storage", "copper", "freight", "chips", "dairy", "insulin", "steel", "streaming")
PLACES = ("Ohio", "Spain", "Chile", "Osaka", "Norway", "Texas", "Kenya", "Lyon")
JUDGED = 150
START = datetime(2026, 1, 1, tzinfo=UTC)


def corrections(wordings: Sequence[str], companies: Sequence[str], count: int) -> list[Row]:
    """So many headlines that a person labelled negative for the company, spread over wordings and names."""
    found = []
    every = list(itertools.product(range(len(wordings)), companies, GOODS, PLACES))
    for number, (wording, company, good, place) in enumerate(every[:: max(1, len(every) // count)][:count]):
        text = wordings[wording].format(company=company, good=good, place=place)
        start = text.index(company)
        story = f"{wording} {number}"
        facts = Facts(START + timedelta(hours=number), story, "", sampled=True, labellers=1, agreement=1.0)
        label = SENTIMENTS.index("negative")
        found.append(Row(PEOPLE[0], story, text, "sentiment", label, ((start, start + len(company)),), 1.0, facts=facts))
    return found


def material(data_dir: Path, count: int, name: str, dev: bool) -> TextData:
    """The base sets with corrections to learn from and to judge by."""
    training, evaluation = base_sets(data_dir)
    idiom = IDIOMS[name]
    learnt = corrections(idiom[:LEARNT], COMPANIES[:6], count)
    judged = corrections(idiom[LEARNT:], COMPANIES[6:], JUDGED)
    data = combine(training, evaluation, read_topics(data_dir))
    sets: Sets = dict(data.evaluation)
    if dev:
        sets = {name: [row for row in data.held_out if row.source == name] for name in data.evaluation}
    train = [*data.train, *learnt]
    return replace(data, train=train, evaluation={**sets, PEOPLE[0]: judged}, copied={**data.copied, PEOPLE[0]: frozenset()})


def relearn(chosen: argparse.Namespace, name: str, out: Path) -> dict[str, Any]:
    """Train, judge, and say what came of it."""
    print(name)
    settings = get_settings()
    threads = settings.model.threads or os.cpu_count() or 1
    torch.set_num_threads(threads)
    settings = settings.model_copy(update={"model": ModelSettings(dir=SHIPPED, threads=threads, device="cpu")})
    data = material(settings.data_dir, chosen.corrections, name, chosen.dev is not None)
    recipe = Recipe(
        epochs=chosen.epochs,
        seed=chosen.seed,
        start=load_artifact(SHIPPED).version,
        **{key: getattr(chosen, key) for key in CONTINUED if key != "epochs"},
    )
    learnt = with_repeated(with_base_rows(data, recipe.base_rows), recipe.repeated)
    engine = load_engine(settings)
    trainer = Trainer(learnt, recipe, out / "train", "cpu", load_artifact(SHIPPED))
    with progress_report() as report:
        trainer.run(report)
    artifact = export_artifact(out / "train" / BEST, data, out / "artifact", threads)
    for place, judged in (("champion", engine), ("challenger", engine_of(artifact, settings))):
        write_predictions(judged, learnt, out / place)
    verdict = judge(read_predictions(out / "champion"), read_predictions(out / "challenger"))
    table = [verdict.main, *verdict.slices]
    for one in table:
        print(f"{one.name:48}{one.rows:6}{one.champion:9.1%}{one.challenger:9.1%}{one.difference:+9.2%}")
    print("passes" if verdict.promote else "is refused", *verdict.reasons, sep="\n- ")
    return {
        "promote": verdict.promote,
        "recipe": asdict(recipe),
        **{one.name: [one.champion, one.challenger] for one in table if one.name.startswith(("set ", "sentiment, labels"))},
    }


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.relearn", description=__doc__)
    parser.add_argument(
        "--dev",
        nargs="*",
        choices=DEV,
        help="choose settings by this: rows held out, and these other idioms; all of them where none is named",
    )
    parser.add_argument("--corrections", type=int, default=200)
    parser.add_argument("--out", type=Path, help="folder of the runs; default: a temporary one")
    for name in CONTINUED:
        default = CONTINUED[name]
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    judged = [IDIOM] if chosen.dev is None else chosen.dev or DEV
    with tempfile.TemporaryDirectory(prefix="squall-relearn-") as temporary:
        told = {name: relearn(chosen, name, (chosen.out or Path(temporary)) / name.replace(" ", "-")) for name in judged}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
