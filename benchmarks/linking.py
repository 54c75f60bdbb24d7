"""Precision and recall of company linking over (sentence, company) pairs.

`python -m benchmarks.linking` prints those of the held-out half; `--errors` lists the errors of the development half instead. The
held-out half is never read item by item.
"""

import argparse
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from squall.companies import load_companies
from streams.logic.linking import Linker

SENTENCES = Path(__file__).parent.parent / "tests" / "data"
HELD_OUT = SENTENCES / "linking_heldout.jsonl"
DEVELOPMENT = SENTENCES / "linking_dev.jsonl"


def judged(path: Path) -> list[tuple[dict[str, Any], set[str], set[str]]]:
    """Each labelled row of a file with the companies that it names and those that the linker finds."""
    linker = Linker(load_companies())
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    done = []
    for row in rows:
        at = datetime.fromisoformat(row["at"])
        links = linker.link(row["title"], row.get("body", ""), row.get("tickers", ()), at)
        done.append((row, set(row["companies"]), {link.company_id for link in links}))
    return done


def measure(path: Path = HELD_OUT) -> dict[str, float]:
    """Micro precision and recall over all pairs of a file, and its number of sentences."""
    rows = judged(path)
    right = sum(len(named & found) for _, named, found in rows)
    found, named = sum(len(found) for _, _, found in rows), sum(len(named) for _, named, _ in rows)
    return {
        "linking_precision": round(right / found, 4),
        "linking_recall": round(right / named, 4),
        "linking_sentences": len(rows),
    }


def main() -> None:
    """Print the figures of the held-out half, or the errors of the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--errors", action="store_true", help="list the errors of the development half")
    if parser.parse_args().errors:
        for row, named, found in judged(DEVELOPMENT):
            if named != found:
                print(f"missed {sorted(named - found)} wrong {sorted(found - named)}: {row['title']}")
        print(json.dumps(measure(DEVELOPMENT)))
    else:
        print(json.dumps(measure(HELD_OUT)))


if __name__ == "__main__":
    main()
