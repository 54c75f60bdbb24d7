import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.db.rules import shipped_rules
from squall.rules import METRICS, Condition, RuleSet, Selector, minutes, seconds, version_of
from squall.rules_file import RulesError, parse_rules

GOOD = """
rules:
  - name: surge
    scope: {kinds: [company], watchlist: mine}
    when:
      - metric: excess
        above: 0
        resolve: -1.5
    for: 1h30m
"""


def test_the_rules_that_ship_are_good() -> None:
    shipped = parse_rules(shipped_rules())
    assert shipped.rules
    assert {name for rule in shipped.rules for name in rule.inhibited_by} <= {rule.name for rule in shipped.rules}


def test_a_rule_reads_as_it_is_written() -> None:
    [rule] = parse_rules(GOOD).rules
    assert (rule.hold, rule.keep_firing_for, rule.scope.watchlist) == (90, 60, "mine")
    assert str(rule.when[0]) == "excess ≥ 0"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "r.yml:1: it is empty"),
        ("rules: [", "r.yml:1: expected the node content"),
        (GOOD.replace("    scope", "    nmae: b\n    scope"), "r.yml:4: rules.0.nmae: there is no such"),
        (GOOD.replace("resolve: -1.5", "resolve: 1"), "r.yml:6: rules.0.when.0: resolve is 1: it must be below 0"),
        (GOOD.replace("        resolve: -1.5\n", ""), "r.yml:3: rules.0: one condition at least needs a resolve level"),
        (GOOD.replace("metric: excess", "metric: gloom"), "r.yml:6: rules.0.when.0.metric: Input should be 'surprise'"),
        (GOOD.replace("1h30m", "90"), "r.yml:9: rules.0.for: use a duration such as"),
        (GOOD.replace("1h30m", "90s"), "r.yml:9: rules.0.for: use whole minutes"),
        (GOOD.replace("[company]", "[market]"), "r.yml:4: rules.0.scope: companies and watchlist select among companies"),
        (GOOD.replace("watchlist: mine", "sectors: [gold]"), "r.yml:4: rules.0.scope: no sector 'gold': there is"),
        (GOOD + "    inhibited_by: [other]\n", "r.yml:2: rule 'surge' is inhibited by 'other', which is no rule"),
        (GOOD + GOOD.replace("\nrules:\n", ""), "r.yml:2: two rules are named 'surge'"),
        (GOOD.replace("name: surge", "name: watermark"), "r.yml:3: rules.0: the name 'watermark' is taken"),
        (GOOD + "    for: 2h\n", "r.yml:10: 'for' stands there twice"),
        ("a: &x [1]\nb: *x", "r.yml:1: anchors and aliases are not supported"),
        ("rules: !!python/object:os.system {}", "r.yml:1: "),
        ("rules: 3", "r.yml:1: rules: Input should be a valid tuple"),
        ("just words", "r.yml:1: Input should be"),
        ("a: \x00", "r.yml:1: "),
    ],
)  # fmt: skip
def test_an_error_is_one_line_with_its_place(text: str, said: str) -> None:
    with pytest.raises(RulesError) as caught:
        parse_rules(text, "r.yml")
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=60))
def test_no_text_gives_another_error(text: str) -> None:
    with pytest.raises(RulesError, match=r"^rules\.yml:\d+: "):
        parse_rules(text)


def test_durations() -> None:
    assert [seconds(text) for text in ("30s", "90m", "1h30m", "1h 30min", "2d", 0)] == [30, 5400, 5400, 5400, 172800, 0]
    assert minutes("2h") == 120
    for bad in ("", "h", "5", 5, True, None, "-3m", "1.5h"):
        with pytest.raises(ValueError, match="use a duration"):
            seconds(bad)


def test_a_condition_is_over_only_beyond_its_resolve_level() -> None:
    up = Condition(metric="excess", above=0, resolve=-1.5)
    assert [up.holds({"excess": value}) for value in (0.0, -0.1, None)] == [True, False, False]
    assert [up.is_over({"excess": value}) for value in (-1.5, -1.6, None)] == [False, True, True]
    down = Condition(metric="past_share", below=0.2, resolve=0.3)
    assert [down.holds({"past_share": value}) for value in (0.2, 0.21)] == [True, False]
    assert [down.is_over({"past_share": value}) for value in (0.3, 0.31)] == [False, True]
    assert not Condition(metric="lift", above=2).is_over({"lift": 0.0})


def test_whom_a_selector_covers() -> None:
    sectors = {"boeing": "industrials", "ibm": "information-technology"}
    every = Selector()
    assert every.covers("company:boeing", sectors, {})
    assert not every.covers("company:boeing/topic:earnings", sectors, {})
    assert not every.covers("market", sectors, {})
    some = Selector(kinds=("company", "sector"), sectors=("industrials",))
    assert [some.covers(scope, sectors, {}) for scope in ("company:boeing", "company:ibm", "sector:industrials")] == [
        True,
        False,
        True,
    ]
    listed = Selector(watchlist="mine", min_weight=2)
    assert not listed.covers("company:ibm", sectors, {})
    assert not listed.covers("company:ibm", sectors, {"mine": {"ibm": 1}})
    assert listed.covers("company:ibm", sectors, {"mine": {"ibm": 2}})


def test_the_version_changes_with_what_decides_and_with_nothing_else() -> None:
    rules = parse_rules(GOOD)
    assert version_of(rules, {"mine": {"a": 1}}) == version_of(parse_rules("# words\n" + GOOD), {"mine": {"a": 1}, "other": {}})
    assert version_of(rules, {"mine": {"a": 1}}) != version_of(rules, {"mine": {"a": 2}})
    assert rules.rules[0].version != parse_rules(GOOD.replace("1h30m", "1h")).rules[0].version


def test_every_metric_is_explained() -> None:
    assert all(METRICS.values())
    assert isinstance(parse_rules(GOOD), RuleSet)
