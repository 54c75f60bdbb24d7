"""Whether a word that may be a company's name is one here, judged by what stands around it. Pure.

The score of an occurrence starts from the name's ambiguity and the way it is written, and each cue moves it; from `ACCEPT` on it
is the company.
"""

import re
from enum import IntEnum

from streams.logic.link_text import Segment

ACCEPT = 1.0


class Shape(IntEnum):
    """How an occurrence is written: with capitals that say something, with capitals that do not, without."""

    CAPITAL = 0
    START = 1
    LOWER = 2


# rows: ambiguity 0, 1, 2 of an alias; columns: Shape
BASE = ((1.5, 1.5, 0.2), (1.0, 0.4, -0.2), (0.2, 0.0, -0.5))

POSSESSIVE = 0.3
NEXT_NOUN = 1.2
NEXT_VERB = 0.8
LATER_VERB = 0.5
BEFORE_NOUN = 0.8
BEFORE_PHRASE = 1.0
NEARBY = 0.2
NEARBY_MOST = 0.4
OWN_CUE = 0.6
OWN_CUE_MOST = 1.2
AGAINST = -0.8
AGAINST_MOST = -1.6
ARTICLE = -0.6
ARTICLE_LOWER = -1.0
LONGER_AFTER = (-0.6, -0.6, -1.0)
LONGER_BEFORE = (-1.0, -1.0, -1.0)
"""By ambiguity."""
AFTER_NUMBER = -0.8

NOUNS = frozenset(
    "shares share stock stocks inc inc. corp corp. plc ltd co co. company ceo cfo coo chief chairman chairwoman boss executives earnings "
    "profit profits revenue revenues results sales guidance outlook forecast dividend buyback bonds debt investors shareholders "
    "employees staff stores unit parent spokesman spokeswoman management board margins bookings orders deliveries ipo merger takeover "
    "downgrade upgrade quarterly first-quarter second-quarter third-quarter fourth-quarter q1 q2 q3 q4 customers headquarters".split()
)
VERBS = frozenset(
    "falls fell drops dropped jumps jumped rises rose gains gained slides slid sinks sank plunges plunged tumbles tumbled soars soared "
    "surges surged climbs climbed rallies rallied slips slipped dips dipped crashes crashed craters cratered slumps slumped posts posted "
    "reports reported beats misses missed warns warned recalls recalled sues sued raises raised cuts trims trimmed lifts lifted slashes "
    "slashed buys bought sells sold acquires acquired names named appoints hires fires says said sees expects expected forecasts announces "
    "announced unveils unveiled launches launched agrees agreed confirms confirmed denies denied declines declined settles settled pays "
    "paid files filed halts halted delays delayed cancels cancelled canceled grounds returns returned joins joined reveals reiterates "
    "downgrades upgrades initiates rebounds hits doubles doubled triples quadruples plans planned begins began starts started closes "
    "closed opens opened shuts spins splits trades tops topped loses lost earns earned ousts resumes suspends completes wins won secures "
    "signs signed seeks hikes hiked boosts boosted narrows widens adds added gets faces overtakes trails lags outperforms underperforms "
    "apologises apologizes fined guides scraps invests withdraws idles extends sticks keeps reaffirms exits enters builds makes made "
    "reported sheds needs stumbles disappoints impresses down up".split()
)
WEAK_VERBS = frozenset("to will has is may could can must would should was had".split())
BEFORE = frozenset(
    "giant maker retailer rival owner parent chipmaker carmaker automaker airline bank lender insurer drugmaker group firm company "
    "operator planemaker miner brewer grocer supplier backer buy sell short long upgrades downgrades acquires rivals".split()
)
PHRASES = frozenset(
    ("shares of", "shares in", "stake in", "stock of", "investors in", "analyst at", "analysts at", "ceo of", "chief of", "owner of",
     "maker of", "parent of", "results from", "earnings from", "target on", "bid for", "takeover of", "shareholders of", "sues",
     "overweight on", "neutral on", "underweight on", "bullish on", "bearish on")
)  # fmt: skip
FINANCE = frozenset(
    "shares stock stocks earnings profit profits loss losses revenue quarter quarterly ceo analyst analysts percent eps dividend guidance "
    "forecasts forecast sales investors ipo nyse nasdaq downgrade upgrade billion million bln mln premarket bid merger takeover "
    "restructuring layoffs jobs expenses costs company".split()
)
ARTICLES = frozenset("the a an this that our his her my your their every each no any".split())
OPENERS = frozenset(
    "after against ahead also although and another as at because before behind besides both breaking but by can could did do does down "
    "during each even ever every exclusive exclusive: ex few first for former from further had has have here how if in inside into is it "
    "its just last late latest less like live many maybe meanwhile more most much near new news no not now of off old on once one only "
    "or other our over own per rt says see should since so some soon still such that the their then there these they this those though "
    "today tomorrow top two under until up update upon via was watch we were what when where whether which while who whose why will with "
    "without would yesterday yet you your buy sell hold short long stock stocks shares january february march april may june july august "
    "september october november december monday tuesday wednesday thursday friday saturday sunday american british french german european "
    "chinese japanese indian dutch swiss italian spanish korean us uk u.s. global big tech software oil retail chip bank banks".split()
)
NOT_NAMES = NOUNS | VERBS | WEAK_VERBS | BEFORE | ARTICLES | OPENERS

WORD = re.compile(r"[a-z0-9][a-z0-9&'.]*")
NEXT_CAPITAL = re.compile(r" ([A-Z][a-z]+)")
LAST_CAPITAL = re.compile(r"([A-Z][a-z]+) $")


def base_score(ambiguity: int, cased: bool, shape: Shape) -> float:
    """What an alias is worth as it is written, before its context."""
    if ambiguity == 0 and not cased:
        return BASE[0][Shape.CAPITAL]
    return BASE[ambiguity][shape]


def context_score(segment: Segment, start: int, end: int, ambiguity: int, shape: Shape) -> float:
    """Cues within about ten words of the occurrence at `start`..`end` of the normalised segment."""
    left, right = segment.normal[max(0, start - 60) : start], segment.normal[end : end + 60]
    score = 0.0
    if right.startswith("'s ") or (right.startswith("' ") and segment.normal[end - 1] == "s"):
        score += POSSESSIVE
        right = right[2:]
    clause = re.split(r"[!?;:]|\. ", right, maxsplit=1)[0]
    after = WORD.findall(clause)
    before = WORD.findall(left)
    score += _after(after, clause, shape) + _before(before, shape, ambiguity)
    near = {word.rstrip(".") for word in before[-8:] + WORD.findall(right)[:8]}
    score += min(NEARBY_MOST, NEARBY * len(near & FINANCE))
    if shape is not Shape.LOWER and not segment.shouted:
        score += _longer_name(segment, segment.original(start), segment.original(end), ambiguity)
    return score


def _after(after: list[str], clause: str, shape: Shape) -> float:
    if not after:
        return 0.0
    first = after[0]
    attached = clause.startswith((" ", "'"))
    if attached and first in NOUNS:
        return NEXT_NOUN
    if attached and first in VERBS:
        return NEXT_VERB
    if attached and first in WEAK_VERBS and shape is not Shape.LOWER:
        return LATER_VERB
    return LATER_VERB if any(word in VERBS for word in after[1:4]) else 0.0


def _before(before: list[str], shape: Shape, ambiguity: int) -> float:
    if not before:
        return 0.0
    if before[-1].isdigit():
        return AFTER_NUMBER
    if before[-1] in ARTICLES:
        return ARTICLE_LOWER if shape is Shape.LOWER else ARTICLE if ambiguity == 2 else 0.0
    if " ".join(before[-2:]) in PHRASES:
        return BEFORE_PHRASE
    return BEFORE_NOUN if before[-1] in BEFORE else 0.0


def _longer_name(segment: Segment, start: int, end: int, ambiguity: int) -> float:
    """A capital right beside it (offsets of the text) makes it a part of another name: Harrison Ford, Delta Force.

    Where all words have capitals this says little: it counts only for names that only context can tell.
    """
    if segment.flat and ambiguity < 2:
        return 0.0
    score = 0.0
    after = NEXT_CAPITAL.match(segment.text, end)
    if after and after[1].lower() not in NOT_NAMES:
        score += LONGER_AFTER[ambiguity]
    before = LAST_CAPITAL.search(segment.text[max(0, start - 20) : start])
    if before and not segment.flat and before[1].lower() not in NOT_NAMES:
        score += LONGER_BEFORE[ambiguity]
    return score


def document_score(padded: str, cues: tuple[str, ...], against: tuple[str, ...]) -> float:
    """What the whole text says for and against a company; `padded` as `Segment.padded` makes it."""
    speak = sum(f" {cue} " in padded for cue in cues)
    deny = sum(f" {cue} " in padded for cue in against)
    return min(OWN_CUE_MOST, OWN_CUE * speak) + max(AGAINST_MOST, AGAINST * deny)
