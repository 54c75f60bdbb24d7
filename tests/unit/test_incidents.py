from bisect import bisect_right
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from squall.rules import RuleSet
from streams.logic.incident_types import Evidence, Incident, SilenceSpan, Step, at_minute, minute_number
from streams.logic.incident_words import inputs, summary
from streams.logic.incidents import Watch

START = minute_number(datetime(2015, 3, 2, tzinfo=UTC))
DAY = 1440
BOEING, IBM, INDUSTRIALS, MARKET = "company:boeing", "company:ibm", "sector:industrials", "market"
SECTORS = {"boeing": "industrials", "ibm": "information-technology"}


class Reading(NamedTuple):
    scope: str
    minute: int
    surprise: float
    line: float = 3.0
    mass: float = 4.0
    expected: float = 0.25
    share_up: bool = True


Levels = dict[str, dict[int, float]]
"""Surprise by scope from a minute after the start on, until the next one; where one begins, something arrives."""


class Scripted:
    """A detector that says what it is told to."""

    def __init__(self, levels: Levels) -> None:
        self.levels = levels

    def step(self, minute: int, arrivals: Mapping[str, Any], watched: Collection[str]) -> list[Reading]:
        return [self.at(scope, minute) for scope in sorted({*arrivals, *watched})]

    def at(self, scope: str, minute: int) -> Reading:
        levels = self.levels.get(scope, {})
        minutes = sorted(levels)
        place = bisect_right(minutes, minute - START)
        return Reading(scope, minute, levels[minutes[place - 1]] if place else 0.0)

    def silent(self, minute: int, level: float) -> list[str]:
        return [scope for scope in sorted(self.levels) if getattr(self.at(scope, minute), "silence", 0.0) >= level]

    def arrivals(self, first: int, last: int) -> dict[int, dict[str, int]]:
        """What arrives in the minutes [first, last]."""
        found: dict[int, dict[str, int]] = {}
        for scope, levels in self.levels.items():
            for minute in levels:
                if first <= START + minute <= last:
                    found.setdefault(START + minute, {})[scope] = 1
        return dict(sorted(found.items()))


def evidence(number: int) -> Evidence:
    name = f"a{number}"
    return Evidence(
        article_id=name, story_id=name, title=f"headline {number}", source="wire", url="", event_time=at_minute(START),
        negative=0.9, neutral=0.05, positive=0.05, weight=0.8, story_articles=1,
    )  # fmt: skip


def three(scope: str, minute: int, window: int) -> tuple[Evidence, ...]:
    return tuple(evidence(number) for number in range(3))


def rules(*changes: dict[str, Any]) -> RuleSet:
    base = {
        "name": "surge",
        "when": [{"metric": "excess", "above": 0, "resolve": -1.5}, {"metric": "share_up", "above": 1}],
        "min_stories": 3,
        "keep_firing_for": "30m",
        "reopen_within": "2h",
        "repeat": "0",
    }
    return RuleSet.model_validate({"rules": [{**base, **change} for change in changes or ({},)]})


def run(levels: Levels, chosen: RuleSet | None = None, days: int = 2, silences: tuple[SilenceSpan, ...] = ()) -> list[Step]:
    detector = Scripted(levels)
    watch = Watch(chosen or rules(), detector, SECTORS, {})
    watch.resume([], START - 1, silences)
    end = START + days * DAY
    return watch.run(detector.arrivals(START, end), end, three)


def story(steps: list[Step]) -> list[tuple[str, str, int]]:
    """Kinds, scopes and minutes of the steps that count."""
    return [(step.kind, step.incident.scope, step.minute - START) for step in decided(steps)]


def decided(steps: list[Step]) -> list[Step]:
    """Without those that only say how far an incident has come when a run ends."""
    return [step for step in steps if step.kind != "updated"]


def kinds(steps: list[Step], scope: str = BOEING) -> list[tuple[str, int]]:
    return [(kind, minute) for kind, where, minute in story(steps) if where == scope]


def told(steps: list[Step]) -> list[tuple[str, str, int]]:
    return [(step.incident.state, step.incident.scope, step.minute - START) for step in steps if step.tell]


def test_it_opens_fires_tells_and_resolves_after_the_calm_has_lasted() -> None:
    steps = run({BOEING: {0: 3.5, 40: 2.0, 60: 1.0}})
    assert kinds(steps) == [("opened", 0), ("fired", 0), ("told", 0), ("resolved", 90)]
    assert told(steps) == [("firing", BOEING, 0), ("resolved", BOEING, 90)]
    last = steps[-1].incident
    assert (last.opened, last.fired, last.peak, last.surprise) == (START, START, 3.5, 1.0)


def test_between_the_levels_it_neither_opens_nor_resolves() -> None:
    assert run({BOEING: {0: 2.9}}) == []
    assert kinds(run({BOEING: {0: 3.0, 5: 1.6}})) == [("opened", 0), ("fired", 0), ("told", 0)]


def test_a_short_calm_does_not_count() -> None:
    levels: Levels = {BOEING: {0: 3.5, 10: 0.5, 39: 2.0, 45: 0.5}}
    assert kinds(run(levels))[-1] == ("resolved", 75)


def test_a_flapping_signal_is_one_incident() -> None:
    flapping = {minute: 3.5 if minute % 20 else 0.5 for minute in range(0, 600, 10)}
    steps = run({BOEING: flapping | {600: 0.0}})
    assert [kind for kind, _ in kinds(steps)] == ["opened", "fired", "told", "resolved"]


def test_without_stories_it_stays_pending_and_nobody_is_told() -> None:
    detector = Scripted({BOEING: {0: 3.5, 60: 0.0}})
    watch = Watch(rules(), detector, SECTORS, {})
    steps = watch.run(detector.arrivals(START, START + DAY), START + DAY, lambda *_: (evidence(1),))
    assert kinds(steps) == [("opened", 0), ("resolved", 90)]
    assert told(steps) == []
    assert [one.title for one in steps[0].stories] == ["headline 1"], "what it waits with can be read"


def test_a_wide_incident_needs_several_companies() -> None:
    chosen = rules({"scope": {"kinds": ["sector"]}, "min_companies": 2})
    detector = Scripted({INDUSTRIALS: {0: 3.5, 10: 3.6}})
    watch = Watch(chosen, detector, SECTORS, {})

    def found(scope: str, minute: int, window: int) -> tuple[Evidence, ...]:
        hit = ("boeing", "boeing", "deere") if minute >= START + 10 else ("boeing", "boeing", None)
        return tuple(structs.replace(evidence(number), company=company) for number, company in enumerate(hit))

    steps = watch.run(detector.arrivals(START, START + 20), START + 20, found)
    assert kinds(steps, INDUSTRIALS) == [("opened", 0), ("fired", 10), ("told", 10)]


def test_every_condition_must_hold() -> None:
    two = rules({"when": [{"metric": "excess", "above": 0, "resolve": -1}, {"metric": "lift", "above": 20}]})
    assert run({BOEING: {0: 9.0}}, two) == []
    unknown = rules({"when": [{"metric": "excess", "above": 0, "resolve": -1}, {"metric": "past_share", "above": 0}]})
    assert run({BOEING: {0: 9.0}}, unknown) == []


def test_for_waits_though_nothing_arrives_and_starts_over_after_a_break() -> None:
    waiting = rules({"for": "20m"})
    assert kinds(run({BOEING: {0: 3.5}}, waiting)) == [("opened", 0), ("fired", 20), ("told", 20)]
    broken = run({BOEING: {0: 3.5, 15: 2.5, 16: 3.5}}, waiting)
    assert kinds(broken) == [("opened", 0), ("fired", 36), ("told", 36)]


def test_a_surge_soon_after_reopens_and_a_later_one_is_another() -> None:
    soon = run({BOEING: {0: 3.5, 10: 0.0, 100: 3.5, 110: 0.0}})
    assert [kind for kind, _ in kinds(soon)] == ["opened", "fired", "told", "resolved", "reopened", "fired", "told", "resolved"]
    assert len({step.incident.id for step in soon}) == 1
    assert soon[-1].incident.fired == START
    later = run({BOEING: {0: 3.5, 10: 0.0, 400: 3.5, 410: 0.0}})
    assert len({step.incident.id for step in later}) == 2


def test_a_firing_incident_is_told_again_until_it_is_acknowledged() -> None:
    again = rules({"repeat": "6h"})
    detector = Scripted({BOEING: {0: 3.5}})
    watch = Watch(again, detector, SECTORS, {})
    steps = watch.run(detector.arrivals(START, START), START + 13 * 60, three)
    assert [minute for _, _, minute in told(steps)] == [0, 360, 720]
    seen = structs.replace(steps[-1].incident, state="acknowledged")
    watch.resume([seen], START + 13 * 60)
    assert told(watch.run({}, START + 2 * DAY, three)) == []


def test_an_acknowledged_incident_resolves_as_a_firing_one() -> None:
    detector = Scripted({BOEING: {0: 3.5, 100: 0.0}})
    watch = Watch(rules(), detector, SECTORS, {})
    fired = watch.run(detector.arrivals(START, START + 10), START + 10, three)[-1].incident
    watch.resume([structs.replace(fired, state="acknowledged")], START + 10)
    [going] = watch.run({}, START + 50, three)
    assert (going.kind, going.minute, going.incident.state) == ("updated", START + 50, "acknowledged")
    steps = watch.run(detector.arrivals(START + 51, START + DAY), START + DAY, three)
    assert kinds(steps) == [("resolved", 130)]
    assert [step.incident.state for step in steps] == ["resolved"]


def test_a_silence_keeps_it_quiet_and_it_is_told_when_that_ends() -> None:
    silence = SilenceSpan(7, "company:b*", START - 10, START + 50)
    steps = run({BOEING: {0: 3.5, 100: 0.0}, IBM: {0: 3.5, 100: 0.0}}, silences=(silence,))
    assert told(steps)[:2] == [("firing", IBM, 0), ("firing", BOEING, 50)]
    gone = run({BOEING: {0: 3.5, 5: 0.0}}, silences=(silence,))
    assert told(gone) == []
    assert [kind for kind, _ in kinds(gone)] == ["opened", "fired", "resolved"]


WIDE: tuple[dict[str, Any], ...] = (
    {"name": "market", "scope": {"kinds": ["market"]}},
    {"name": "sector", "scope": {"kinds": ["sector"]}, "inhibited_by": ["market"]},
    {"name": "surge", "inhibited_by": ["market", "sector"]},
)


def test_a_wider_incident_takes_in_those_under_it_and_lets_them_go_when_it_ends() -> None:
    levels: Levels = {INDUSTRIALS: {5: 3.5, 20: 0.0}, BOEING: {5: 3.5, 300: 0.0}, IBM: {5: 3.5, 300: 0.0}}
    steps = run(levels, rules(*WIDE))
    assert kinds(steps) == [
        ("opened", 5), ("fired", 5), ("rolled_up", 5), ("released", 50), ("told", 50), ("resolved", 330),
    ]  # fmt: skip
    assert told(steps)[:4] == [
        ("firing", INDUSTRIALS, 5), ("firing", IBM, 5), ("resolved", INDUSTRIALS, 50), ("firing", BOEING, 50),
    ]  # fmt: skip
    sector = next(step.incident for step in steps if step.incident.scope == INDUSTRIALS)
    assert next(step for step in steps if step.kind == "rolled_up").incident.parent == sector.id


def test_one_that_was_told_is_taken_in_later_and_the_widest_counts() -> None:
    levels: Levels = {BOEING: {0: 3.5}, INDUSTRIALS: {10: 3.5}, MARKET: {20: 3.5, 30: 0.0}}
    steps = run(levels, rules(*WIDE), days=1)
    market = next(step.incident.id for step in steps if step.incident.scope == MARKET)
    parents = [(step.minute - START, step.incident.parent) for step in steps if step.kind in ("rolled_up", "released")]
    boeing = [step for step in steps if step.incident.scope == BOEING and step.kind == "rolled_up"]
    assert [step.minute - START for step in boeing] == [10, 20, 60]
    assert boeing[1].incident.parent == market
    assert (20, market) in parents
    assert told(steps) == [
        ("firing", BOEING, 0), ("firing", INDUSTRIALS, 10), ("firing", MARKET, 20), ("resolved", MARKET, 60),
    ]  # fmt: skip


def test_a_rule_that_is_gone_ends_its_incidents_and_says_why() -> None:
    detector = Scripted({BOEING: {0: 3.5}, INDUSTRIALS: {0: 3.5}})
    watch = Watch(rules(*WIDE), detector, SECTORS, {})
    steps = watch.run(detector.arrivals(START, START), START + 10, three)
    known = {step.incident.id: step.incident for step in steps}
    fewer = Watch(rules(WIDE[0], {"name": "surge", "scope": {"sectors": ["energy"]}}), detector, SECTORS, {})
    ended = fewer.resume(known.values(), START + 10)
    assert [(step.kind, step.minute, step.incident.scope, step.reason, step.tell) for step in ended] == [
        ("resolved", START + 11, INDUSTRIALS, "the rule was removed", True),
        ("resolved", START + 11, BOEING, "the rule no longer covers it", False),
    ]
    assert fewer.run({}, START + DAY, three) == []


def test_a_watch_list_says_whom_a_rule_watches() -> None:
    chosen = rules({"scope": {"kinds": ["company"], "watchlist": "mine", "min_weight": 2}})
    detector = Scripted({BOEING: {0: 3.5}, IBM: {0: 3.5}})
    watch = Watch(chosen, detector, SECTORS, {"mine": {"boeing": 1.0, "ibm": 3.0}})
    steps = watch.run(detector.arrivals(START, START), START + 1, three)
    assert {step.incident.scope for step in steps} == {IBM}


def test_nine_months_of_quiet_cost_no_step() -> None:
    assert run({BOEING: {0: 1.0, 270 * DAY: 1.0}}, days=271) == []


def test_what_an_incident_shows() -> None:
    [rule] = rules({"window": "2h"}).rules
    signal = Reading(BOEING, START, 3.5)
    frozen = inputs(rule, "abc", signal, 9)
    assert (frozen["stories"], frozen["mass"], frozen["line"], frozen["rules_version"]) == (9, 4.0, 3.0, "abc")
    assert frozen["rule"]["name"] == "surge"
    assert summary("Boeing", rule, signal, 9) == "Boeing: 9 negative stories in 2 h, weight 4.0 where 0.25 was expected"
    assert summary("Boeing", rule, signal, 1).startswith("Boeing: 1 negative story in")
    unheard = signal._replace(expected=0.00015)
    assert summary("Boeing", rule, unheard, 9).endswith("weight 4.0 where less than 0.01 was expected")


points = st.dictionaries(st.integers(0, 450), st.sampled_from([0.0, 1.0, 2.0, 3.2, 5.0]), max_size=12)


@settings(max_examples=40, deadline=None)
@given(
    st.fixed_dictionaries(dict.fromkeys((BOEING, IBM, INDUSTRIALS, MARKET), points)),
    st.lists(st.integers(0, 700), max_size=5),
    st.booleans(),
)
def test_continuing_in_chunks_and_resuming_anew_give_the_same(levels: Levels, cuts: list[int], anew: bool) -> None:
    chosen = rules(*({**rule, "for": wait, "repeat": "3h"} for rule, wait in zip(WIDE, ("0", "5m", "20m"), strict=True)))
    silences = (SilenceSpan(1, "*ibm", START + 30, START + 200), SilenceSpan(2, "sector:*", START, START + 77))
    detector, end = Scripted(levels), START + 800
    watch = Watch(chosen, detector, SECTORS, {})
    watch.resume([], START - 1, silences)
    whole = watch.run(detector.arrivals(START, end), end, three)
    last = {step.incident.id: step.incident for step in whole}

    watch = Watch(chosen, detector, SECTORS, {})
    watch.resume([], START - 1, silences)
    parts: list[Step] = []
    known: dict[str, Incident] = {}
    done = START - 1
    for cut in [*sorted(START + cut for cut in cuts), end]:
        if anew:
            watch = Watch(chosen, detector, SECTORS, {})
        recent = [one for one in known.values() if one.resolved is None or one.resolved >= done - watch.reopen_within]
        assert watch.resume(recent, done, silences) == []
        new = watch.run(detector.arrivals(done + 1, cut), cut, three)
        known |= {step.incident.id: step.incident for step in new}
        parts += new
        done = max(done, cut)
    assert decided(parts) == decided(whole)
    assert known == last


@pytest.mark.parametrize("order", [(BOEING, IBM, MARKET), (MARKET, IBM, BOEING)])
def test_the_order_in_which_a_minute_names_its_scopes_changes_nothing(order: tuple[str, ...]) -> None:
    levels: Levels = {scope: {0: 3.5, 50: 0.0} for scope in order}
    expected: Levels = {scope: {0: 3.5, 50: 0.0} for scope in sorted(order)}
    assert run(levels, rules(*WIDE)) == run(expected, rules(*WIDE))


class Gauged(NamedTuple):
    scope: str
    minute: int
    surprise: float
    line: float = 3.0
    mass: float = 4.0
    expected: float = 0.25
    mood_change: float | None = None
    price_move: float | None = None
    divergence: float | None = None


class ScriptedGauged(Scripted):
    def at(self, scope: str, minute: int) -> Any:
        return Gauged(*super().at(scope, minute)[:3])


def test_a_rule_joins_what_the_detector_says_with_mood_and_price() -> None:
    when = [
        {"metric": "divergence", "above": 0.5},
        {"metric": "mood_change", "below": -3, "resolve": -1},
        {"metric": "surprise", "above": 1},
    ]
    chosen = rules({"when": when, "min_stories": 0})
    moods = {0: -4.0, 10: -4.0, 20: -2.5, 40: -0.5}
    asked: list[tuple[str, int]] = []

    def gauge(scope: str, minute: int) -> dict[str, float | None]:
        asked.append((scope, minute - START))
        mood = moods[max(at for at in moods if at <= minute - START)]
        return {"mood_change": mood, "price_move": 0.5 if minute - START else -2.0, "divergence": float(minute > START)}

    detector = ScriptedGauged({BOEING: {0: 2.0, 10: 2.0, 20: 2.0}, IBM: {0: 0.5}})
    watch = Watch(chosen, detector, SECTORS, {})
    steps = watch.run(detector.arrivals(START, START + DAY), START + DAY, three, gauge)
    assert kinds(steps) == [("opened", 10), ("fired", 10), ("told", 10), ("resolved", 70)]
    assert asked[0] == (BOEING, 0)
    assert {scope for scope, _ in asked} == {BOEING}
    signal = steps[0].signal
    assert signal is not None
    frozen = inputs(chosen.rules[0], "abc", signal, 3)
    assert (frozen["mood_change"], frozen["price_move"]) == (-4.0, 0.5)
    silent = Watch(chosen, detector, SECTORS, {})
    assert silent.run(detector.arrivals(START, START + DAY), START + DAY, three) == []


class Hushed(NamedTuple):
    scope: str
    minute: int
    surprise: float
    line: float = 3.0
    mass: float = 0.0
    expected: float = 0.0
    silence: float = 0.0
    awaited: float = 9.0


class ScriptedSilence(Scripted):
    """Its levels are those of silence."""

    def at(self, scope: str, minute: int) -> Any:
        return Hushed(scope, minute, 0.0, silence=super().at(scope, minute).surprise)


def test_a_silence_opens_when_an_hour_ends_though_nothing_arrives() -> None:
    when = [{"metric": "silence", "above": 4, "resolve": 1}]
    watched = rules({"scope": {"kinds": ["company", "market"]}, "when": when, "min_stories": 0})
    detector = ScriptedSilence({MARKET: {0: 0.5}, BOEING: {0: 0.0, 130: 5.0, 400: 0.0}})
    arrivals = {START: {BOEING: 1, MARKET: 1}, START + 400: {BOEING: 1}}

    def nothing(scope: str, minute: int, window: int) -> tuple[Evidence, ...]:
        return ()

    whole = Watch(watched, detector, SECTORS, {})
    steps = whole.run(arrivals, START + DAY, nothing)
    assert story(steps) == [(kind, BOEING, 179) for kind in ("opened", "fired", "told")] + [("resolved", BOEING, 430)]
    signal = steps[0].signal
    assert signal is not None
    assert summary("Boeing", watched.rules[0], signal, 0) == "Boeing: no news where 9 articles were expected by now"

    assert inputs(watched.rules[0], "abc", signal, 0)["awaited"] == 9
    assert "awaited" not in inputs(rules().rules[0], "abc", signal, 0)

    # In chunks that end anywhere it is the same.
    parts: list[Step] = []
    chunked = Watch(watched, detector, SECTORS, {})
    for first, last in ((START, START + 100), (START + 101, START + 178), (START + 179, START + 179), (START + 180, START + DAY)):
        parts += chunked.run({at: one for at, one in arrivals.items() if first <= at <= last}, last, nothing)
    assert parts == steps
