from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from squall.settings import RuleSettings
from streams.logic.incidents import Evidence, Incident, Step, Watch, at_minute, inputs, minute_number, summary
from streams.logic.mood import Sums
from streams.logic.surge import DAY, HOUR, Rule, WindowDetector

RULE = Rule(RuleSettings(window_min=120, baseline_days=2, guard_h=3, keep_firing_min=30, min_stories=3))
START = minute_number(datetime(2015, 3, 2, tzinfo=UTC))
Arrivals = dict[int, dict[str, Sums]]


def bad(mentions: int = 1, mass: float = 0.7) -> Sums:
    return Sums(mentions, mentions * 1_000_000, mentions * 900_000, 0, 0, int(mentions * mass * 1e6), 0)


def good(mentions: int = 1) -> Sums:
    return Sums(mentions, mentions * 1_000_000, mentions * 50_000, mentions * 900_000, 0, int(mentions * 3e4), 0)


def evidence(number: int) -> Evidence:
    at = at_minute(START + number)
    name = f"a{number}"
    return Evidence(
        article_id=name, story_id=name, title=f"headline {number}", source="wire", url="", event_time=at,
        negative=0.9, neutral=0.05, positive=0.05, weight=0.8, story_articles=1,
    )  # fmt: skip


class Stories:
    """One story for each bad mention of a scope in the window."""

    def __init__(self, arrivals: Arrivals) -> None:
        self.arrivals = arrivals

    def __call__(self, scope: str, minute: int) -> tuple[Evidence, ...]:
        return tuple(
            evidence(at)
            for at, sums in sorted(self.arrivals.items())
            if minute - RULE.settings.window_min < at <= minute and scope in sums and sums[scope].negative > sums[scope].positive
        )


def run(arrivals: Arrivals, until: int) -> list[Step]:
    return Watch(RULE, WindowDetector(RULE.settings)).run(arrivals, until, Stories(arrivals))


def kinds(steps: list[Step]) -> list[tuple[str, int]]:
    return [(step.kind, step.signal.minute - START) for step in steps if step.kind != "updated"]


def test_an_incident_waits_for_stories_fires_and_resolves_when_the_window_has_emptied() -> None:
    heavy = bad(mass=0.95)
    arrivals: Arrivals = {START + minute: {"company:boeing": heavy} for minute in (0, 1, 2, 3, 4, 5)}
    arrivals = {minute: {"company:boeing": bad(3, 1.0)} if minute == START else sums for minute, sums in arrivals.items()}
    steps = run(arrivals, START + DAY)
    assert kinds(steps)[:2] == [("opened", 0), ("fired", 2)]
    assert [kind for kind, _ in kinds(steps)] == ["opened", "fired", "resolved"]
    resolved = steps[-1].incident
    assert resolved.state == "resolved"
    assert (resolved.opened, resolved.fired) == (START, START + 2)
    assert resolved.peak == max(step.signal.surprise for step in steps)
    # The mass stays in the window for two hours, and then the calm must last for half an hour.
    assert 120 <= (resolved.resolved or 0) - START <= 160


def test_as_much_news_of_which_little_is_bad_opens_nothing() -> None:
    arrivals: Arrivals = {START + minute: {"company:boeing": bad() if minute % 4 else good(9)} for minute in range(8)}
    assert run(arrivals, START + DAY) == []


def test_an_acknowledged_incident_resolves_as_a_firing_one() -> None:
    arrivals: Arrivals = {START + minute: {"company:boeing": bad()} for minute in range(8)}
    detector = WindowDetector(RULE.settings)
    watch = Watch(RULE, detector)
    fired = watch.run(arrivals, START + 10, Stories(arrivals))[-1].incident
    assert fired.state == "firing"
    seen = Incident(**{**{name: getattr(fired, name) for name in fired.__struct_fields__}, "state": "acknowledged"})
    watch.resume([seen], START + 10)
    steps = watch.run({}, START + DAY, Stories(arrivals))
    assert kinds(steps)[-1][0] == "resolved"
    assert {step.incident.state for step in steps} == {"acknowledged", "resolved"}


def test_one_open_incident_a_scope_and_a_new_one_after_it_resolved() -> None:
    burst = {START + minute: {"company:boeing": bad()} for minute in range(8)}
    again = {START + 3 * DAY + minute: {"company:boeing": bad()} for minute in range(8)}
    steps = run({**burst, **again}, START + 5 * DAY)
    fired = [step.incident for step in steps if step.kind == "fired"]
    assert len({incident.id for incident in fired}) == len(fired) == 2


def test_nine_months_of_quiet_cost_no_step() -> None:
    arrivals: Arrivals = {START: {"company:boeing": bad()}, START + 270 * DAY: {"company:boeing": bad()}}
    assert run(arrivals, START + 270 * DAY) == []


def test_what_an_incident_shows() -> None:
    arrivals: Arrivals = {START + minute: {"company:boeing": bad()} for minute in range(8)}
    fired = next(step for step in run(arrivals, START + 10) if step.kind == "fired")
    frozen = inputs(RULE, fired.signal, len(fired.stories))
    assert frozen["stories"] == len(fired.stories) >= RULE.settings.min_stories
    assert frozen["rule_version"] == RULE.version
    text = summary("Boeing", RULE.settings, fired.signal, 9)
    assert text.startswith("Boeing: 9 negative stories in 2 h, weight ")
    assert text.endswith(f"where {fired.signal.expected:.2g} was expected")


minutes = st.lists(
    st.tuples(st.integers(1, 200), st.sampled_from(["company:a", "company:b"]), st.integers(0, 4)), min_size=1, max_size=80
)


def week_of(steps: list[tuple[int, str, int]]) -> Arrivals:
    arrivals: Arrivals = {}
    minute = START
    for gap, scope, count in steps:
        minute += gap if gap > 150 else gap % 5
        arrivals.setdefault(minute, {})[scope] = bad(count) if count else good()
    return arrivals


def rebuilt(arrivals: Arrivals, known: list[Incident], now: int) -> Watch:
    """A watch that knows only what the database holds after minute `now`."""
    detector = WindowDetector(RULE.settings)
    border = (now - RULE.settings.window_min - RULE.settings.keep_firing_min) // HOUR * HOUR
    past = {minute: sums for minute, sums in arrivals.items() if minute <= now}
    hours: dict[str, dict[int, int]] = {}
    for minute, sums in past.items():
        if now - detector.lookback <= minute < border:
            for scope, one in sums.items():
                held = hours.setdefault(scope, {})
                held[minute // HOUR] = held.get(minute // HOUR, 0) + one.negative_weight
    recent = {minute: sums for minute, sums in past.items() if minute >= border}
    detector.rebuild(min(past, default=None), hours, recent)
    watch = Watch(RULE, detector)
    watch.resume(known, now)
    return watch


@settings(max_examples=150, deadline=None)
@given(minutes, st.lists(st.integers(0, 5000), max_size=6), st.booleans())
def test_continuing_in_chunks_and_rebuilding_at_any_minute_give_the_same(
    drawn: list[tuple[int, str, int]], cuts: list[int], rebuild: bool
) -> None:
    arrivals = week_of(drawn)
    stories = Stories(arrivals)
    end = max(arrivals) + DAY
    whole = run(arrivals, end)

    watch = Watch(RULE, WindowDetector(RULE.settings))
    parts: list[Step] = []
    known: dict[str, Incident] = {}
    done = START - 1
    for cut in [*sorted(START + cut for cut in cuts), end]:
        if rebuild:
            watch = rebuilt(arrivals, [one for one in known.values() if one.state != "resolved"], done)
        now = max(cut, done)
        chunk = {minute: sums for minute, sums in arrivals.items() if done < minute <= now}
        new = watch.run(chunk, now, stories)
        known |= {step.incident.id: step.incident for step in new}
        parts += new
        done = now
    assert parts == whole
