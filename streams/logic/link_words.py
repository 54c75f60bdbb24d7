"""The words by which the context of a name is judged."""

NOUNS = frozenset((
    "board", "bonds", "bookings", "boss", "buyback", "ceo", "cfo", "chairman", "chairwoman", "chief", "co", "co.",
    "company", "coo", "corp", "corp.", "customers", "debt", "deliveries", "dividend", "downgrade", "earnings",
    "employees", "executives", "first-quarter", "forecast", "fourth-quarter", "guidance", "headquarters", "inc", "inc.",
    "investors", "ipo", "ltd", "management", "margins", "merger", "orders", "outlook", "parent", "plc", "profit",
    "profits", "q1", "q2", "q3", "q4", "quarterly", "results", "revenue", "revenues", "sales", "second-quarter", "share",
    "shareholders", "shares", "spokesman", "spokeswoman", "staff", "stock", "stocks", "stores", "takeover",
    "third-quarter", "unit", "upgrade",
))  # fmt: skip
"""What a company has or is: "Apple shares"."""

VERBS = frozenset((
    "acquired", "acquires", "added", "adds", "agreed", "agrees", "announced", "announces", "apologises", "apologizes",
    "appoints", "beats", "began", "begins", "boosted", "boosts", "bought", "builds", "buys", "canceled", "cancelled",
    "cancels", "climbed", "climbs", "closed", "closes", "completes", "confirmed", "confirms", "crashed", "crashes",
    "cratered", "craters", "cuts", "declined", "declines", "delayed", "delays", "denied", "denies", "dipped", "dips",
    "disappoints", "doubled", "doubles", "down", "downgrades", "dropped", "drops", "earned", "earns", "enters", "exits",
    "expected", "expects", "extends", "faces", "falls", "fell", "filed", "files", "fined", "fires", "forecasts",
    "gained", "gains", "gets", "grounds", "guides", "halted", "halts", "hiked", "hikes", "hires", "hits", "idles",
    "impresses", "initiates", "invests", "joined", "joins", "jumped", "jumps", "keeps", "lags", "launched", "launches",
    "lifted", "lifts", "loses", "lost", "made", "makes", "missed", "misses", "named", "names", "narrows", "needs",
    "opened", "opens", "ousts", "outperforms", "overtakes", "paid", "pays", "planned", "plans", "plunged", "plunges",
    "posted", "posts", "quadruples", "raised", "raises", "rallied", "rallies", "reaffirms", "rebounds", "recalled",
    "recalls", "reiterates", "reported", "reports", "resumes", "returned", "returns", "reveals", "rises", "rose", "said",
    "sank", "says", "scraps", "secures", "seeks", "sees", "sells", "settled", "settles", "sheds", "shuts", "signed",
    "signs", "sinks", "slashed", "slashes", "slid", "slides", "slipped", "slips", "slumped", "slumps", "soared", "soars",
    "sold", "spins", "splits", "started", "starts", "sticks", "stumbles", "sued", "sues", "surged", "surges", "suspends",
    "topped", "tops", "trades", "trails", "trimmed", "trims", "triples", "tumbled", "tumbles", "underperforms",
    "unveiled", "unveils", "up", "upgrades", "warned", "warns", "widens", "wins", "withdraws", "won",
))  # fmt: skip
"""What companies and their shares do in headlines."""

WEAK_VERBS = frozenset((
    "can", "could", "had", "has", "is", "may", "must", "should", "to", "was", "will", "would",
))  # fmt: skip
"""What may follow any subject."""

BEFORE = frozenset((
    "acquires", "airline", "automaker", "backer", "bank", "brewer", "buy", "carmaker", "chipmaker", "company",
    "downgrades", "drugmaker", "firm", "giant", "grocer", "group", "insurer", "lender", "long", "maker", "miner",
    "operator", "owner", "parent", "planemaker", "retailer", "rival", "rivals", "sell", "short", "supplier", "upgrades",
))  # fmt: skip
"""What introduces a company: "chipmaker Intel", "buy Ford"."""

PHRASES = frozenset((
    "analyst at", "analysts at", "bearish on", "bid for", "bullish on", "ceo of", "chief of", "earnings from",
    "investors in", "maker of", "neutral on", "overweight on", "owner of", "parent of", "results from",
    "shareholders of", "shares in", "shares of", "stake in", "stock of", "sues", "takeover of", "target on",
    "underweight on",
))  # fmt: skip
"""Pairs of words that do so too: "shares of Target"."""

FINANCE = frozenset((
    "analyst", "analysts", "bid", "billion", "bln", "ceo", "company", "costs", "dividend", "downgrade", "earnings",
    "eps", "expenses", "forecast", "forecasts", "guidance", "investors", "ipo", "jobs", "layoffs", "loss", "losses",
    "merger", "million", "mln", "nasdaq", "nyse", "percent", "premarket", "profit", "profits", "quarter", "quarterly",
    "restructuring", "revenue", "sales", "shares", "stock", "stocks", "takeover", "upgrade",
))  # fmt: skip
"""Words of business news; near a name, they make it likelier."""

ARTICLES = frozenset((
    "a", "an", "any", "each", "every", "her", "his", "my", "no", "our", "that", "the", "their", "this", "your",
))  # fmt: skip
"""After these, a word is seldom a company."""

OPENERS = frozenset((
    "after", "against", "ahead", "also", "although", "american", "and", "another", "april", "as", "at", "august", "bank",
    "banks", "because", "before", "behind", "besides", "big", "both", "breaking", "british", "but", "buy", "by", "can",
    "chinese", "chip", "could", "december", "did", "do", "does", "down", "during", "dutch", "each", "european", "even",
    "ever", "every", "ex", "exclusive", "exclusive:", "february", "few", "first", "for", "former", "french", "friday",
    "from", "further", "german", "global", "had", "has", "have", "here", "hold", "how", "if", "in", "indian", "inside",
    "into", "is", "it", "italian", "its", "january", "japanese", "july", "june", "just", "korean", "last", "late",
    "latest", "less", "like", "live", "long", "many", "march", "may", "maybe", "meanwhile", "monday", "more", "most",
    "much", "near", "new", "news", "no", "not", "november", "now", "october", "of", "off", "oil", "old", "on", "once",
    "one", "only", "or", "other", "our", "over", "own", "per", "retail", "rt", "saturday", "says", "see", "sell",
    "september", "shares", "short", "should", "since", "so", "software", "some", "soon", "spanish", "still", "stock",
    "stocks", "such", "sunday", "swiss", "tech", "that", "the", "their", "then", "there", "these", "they", "this",
    "those", "though", "thursday", "today", "tomorrow", "top", "tuesday", "two", "u.s.", "uk", "under", "until", "up",
    "update", "upon", "us", "via", "was", "watch", "we", "wednesday", "were", "what", "when", "where", "whether",
    "which", "while", "who", "whose", "why", "will", "with", "without", "would", "yesterday", "yet", "you", "your",
))  # fmt: skip
"""Words that may have a capital before a name without being a part of it."""

NOT_NAMES = NOUNS | VERBS | WEAK_VERBS | BEFORE | ARTICLES | OPENERS
"""Words that, with a capital beside a name, do not make it a part of a longer one."""
