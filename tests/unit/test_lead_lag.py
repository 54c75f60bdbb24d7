from datetime import UTC, datetime, timedelta
from math import nan

import numpy as np

from pipelines.maintenance.lead_lag import Session, lead_lag, words

START = datetime(2014, 1, 1, 21, tzinfo=UTC)


def sessions(
    seed: int, lag: int = 0, effect: float = 0.0, count: int = 400, until: int | None = None, silent: float = 0.2
) -> list[Session]:
    """Noise; after `lag` sessions the price follows the tone by `effect` of its deviation, up to session `until`."""
    rng = np.random.default_rng(seed)
    tone = rng.uniform(-1, 1, count)
    moves = rng.normal(0, 0.02, count)
    if lag:
        led = np.arange(count) < (count if until is None else until)
        moves[lag:] += 0.02 * effect * tone[:-lag] * led[lag:]
    heard = rng.random(count) >= silent
    return [
        Session(START + timedelta(days=number), float(moves[number]), float(tone[number]) if heard[number] else nan)
        for number in range(count)
    ]


def test_what_leads_is_found_at_its_lag_and_seen_again_later() -> None:
    series = {f"c{number}": sessions(number) for number in range(20)} | {"led": sessions(99, lag=2, effect=0.8)}
    findings = lead_lag(series)
    found = [one for one in findings if one.confirmed]
    assert [(one.company, one.leads, one.lag) for one in found] == [("led", "mood", 2)]
    [one] = found
    assert one.q < 0.001
    assert one.coefficient > 0
    assert one.last < START + timedelta(days=240)
    assert one.sessions < 240
    assert words(one, "Acme").startswith("Acme: mood has led price by 2 sessions, with the same sign (q ")


def test_what_has_ended_is_not_seen_again() -> None:
    series = {f"c{number}": sessions(number) for number in range(5)} | {"once": sessions(7, lag=1, effect=0.9, until=240)}
    [one] = [one for one in lead_lag(series) if one.q <= 0.05]
    assert (one.company, one.lag, one.confirmed) == ("once", 1, False)
    assert one.later_p is not None
    assert one.later_sessions > 60


def test_the_price_may_lead_the_mood() -> None:
    plain = sessions(3, silent=0)
    moved = [
        one._replace(tone=float(np.clip(one.tone / 2 + 15 * plain[number - 1].adjusted, -1, 1)))
        for number, one in enumerate(plain)
        if number
    ]
    found = {(one.leads, one.lag) for one in lead_lag({"c": moved}) if one.confirmed}
    assert found == {("price", 1)}


def test_noise_is_seldom_found() -> None:
    runs = [lead_lag({f"c{number}": sessions(100 * run + number, count=220) for number in range(8)}) for run in range(12)]
    assert sum(any(one.q <= 0.05 for one in found) for found in runs) <= 6
    assert not any(one.confirmed for found in runs for one in found)


def test_where_there_is_too_little_nothing_is_tested() -> None:
    assert lead_lag({"c": sessions(1, count=90)}) == []
    assert lead_lag({"flat": [one._replace(tone=0.5) for one in sessions(2)]}) == []
    assert lead_lag({}) == []
