"""The invented world of the browser tests: companies, headlines in our own words. Seeded, always the same."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2013, 1, 24, 21, 34, tzinfo=UTC)
FIRST = datetime(2012, 5, 1, tzinfo=UTC)
MILLION = 1_000_000
MODEL = "minilm-test-1"
COMPANIES = (
    ("apple", "Apple", "technology", "AAPL"),
    ("meta-platforms", "Facebook", "communication", "FB"),
    ("alphabet", "Google", "communication", "GOOG"),
    ("ibm", "IBM", "technology", "IBM"),
    ("microsoft", "Microsoft", "technology", "MSFT"),
    ("boeing", "Boeing", "industrials", "BA"),
    ("quiet-harbour", "Quiet Harbour Shipping", "industrials", "QHS"),
)
TOPICS = (
    "Analyst Update",
    "Fed | Central Banks",
    "Company | Product News",
    "Earnings",
    "General News | Opinion",
    "Legal | Regulation",
    "M&A | Investments",
    "Macro",
    "Personnel Change",
    "Stock Movement",
)
MANIFEST = {
    "topic_labels": list(TOPICS),
    "base": {"package": "small-encoder", "version": "0.1.0"},
    "data": {"rows": 34137},
    "held_out": [{"epoch": 1, "sentiment": 0.8209, "topic": 0.8175}, {"epoch": 2, "sentiment": 0.8516, "topic": 0.874}],
}
SOURCES = ("Harbour Wire", "Northgate Post", "Tape & Ticker", "Morning Ledger")
BAD = (
    "{} falls after a quarter below what it had promised",
    "Brokers cut their targets for {} as orders dry up",
    "{} shares slide; traders call the outlook thin",
    "Regulator opens an inquiry into {}",
    "{} warns that margins will shrink again",
    "Suppliers say {} has halved its orders",
)
GOOD = (
    "{} beats forecasts and lifts its outlook",
    "{} wins a large contract in Europe",
    "Analysts warm to {} after strong sales",
    "{} raises its dividend",
)
PLAIN = (
    "{} names a new head of its office in Dublin",
    "{} to hold its yearly meeting in March",
    "{} shows a prototype to reporters",
    "{} and a rival settle on a shared standard",
)
HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script><b>{}</b> falls'


def slug_of(label: str) -> str:
    return "-".join("".join(letter if letter.isalnum() else " " for letter in label.lower()).split())


def item(company: str | None, at: datetime, title: str, sentiment: float, **more: Any) -> dict[str, Any]:
    """One scored article with one mention; sentiment −1 to 1."""
    return {"company": company, "at": at, "title": title, "sentiment": sentiment, **more}


def world() -> list[dict[str, Any]]:
    """About 900 items over nine months, and a bad evening for Apple and for Facebook before it."""
    rng = random.Random(5)
    items = []
    at = FIRST
    while at < NOW - timedelta(minutes=20):
        company = rng.choices([one[0] for one in COMPANIES[:6]] + [None], weights=(30, 18, 16, 10, 14, 6, 8))[0]
        name = next((one[1] for one in COMPANIES if one[0] == company), "The market")
        tone = rng.choices(("bad", "good", "plain"), weights=(26, 36, 38))[0]
        title = rng.choice({"bad": BAD, "good": GOOD, "plain": PLAIN}[tone]).format(name)
        sentiment = {"bad": -1, "good": 1, "plain": 0.05}[tone] * rng.uniform(0.2, 0.95)
        items.append(item(company, at, title, sentiment, topic=rng.choice(TOPICS), relevance=rng.randint(40, 100)))
        days_left = (NOW - at) / timedelta(days=1)
        at += timedelta(minutes=rng.expovariate(1 / (700 if days_left > 6 else 55)))
    for company, when in (
        ("meta-platforms", (2012, 7, 26, 19)),
        ("meta-platforms", (2012, 5, 21, 12)),
        ("alphabet", (2012, 10, 18, 15)),
        ("ibm", (2013, 1, 22, 10)),
    ):
        name = next(one[1] for one in COMPANIES if one[0] == company)
        for number in range(9):
            moment = datetime(*when, tzinfo=UTC) + timedelta(minutes=11 * number)
            items.append(item(company, moment, rng.choice(BAD).format(name), -rng.uniform(0.55, 0.95), topic="Stock Movement"))
    for number in range(12):
        title = rng.choice(BAD).format("Apple")
        items.append(
            item(
                "apple", NOW - timedelta(minutes=70 - 5 * number), title, -rng.uniform(0.5, 0.95), topic="Earnings", relevance=96
            )
        )
    items.append(
        item("apple", NOW - timedelta(minutes=3), HOSTILE.format("Apple"), -0.8, topic="Earnings", url="javascript:alert(1)")
    )
    return items
