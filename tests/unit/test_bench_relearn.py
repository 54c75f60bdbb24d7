"""The corrections that the benchmark learns from and judges by."""

import pytest

from benchmarks.relearn import COMPANIES, IDIOMS, JUDGED, LEARNT, corrections
from pipelines.training.near_copies import near_pairs


@pytest.mark.parametrize("idiom", IDIOMS)
def test_what_is_judged_is_in_no_correction(idiom: str) -> None:
    learnt = corrections(IDIOMS[idiom][:LEARNT], COMPANIES[:6], 200)
    judged = corrections(IDIOMS[idiom][LEARNT:], COMPANIES[6:], JUDGED)
    assert (len(learnt), len(judged)) == (200, JUDGED)
    for rows, wordings, names in ((learnt, LEARNT, COMPANIES[:6]), (judged, 2, COMPANIES[6:])):
        assert len({row.story for row in (one.facts for one in rows) if row}) == len({row.text for row in rows}) == len(rows)
        assert {row.text[slice(*row.spans[0])] for row in rows} == set(names)
        assert len({row.key.split()[0] for row in rows}) == wordings
    assert not list(near_pairs([row.text for row in learnt], [row.text for row in judged]))
