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

POSSESSED = frozenset((
    "annual", "app", "beat", "bid", "biggest", "breach", "business", "cash", "chief's", "comeback", "credit", "data",
    "deal", "debt", "decline", "factories", "factory", "fall", "finance", "first", "former", "founder", "growth",
    "holiday", "latest", "lawsuit", "lawyers", "loans", "loss", "losses", "market", "miss", "new", "offer", "plan",
    "plans", "plant", "plants", "pledge", "plunge", "problems", "product", "products", "purchase", "quarter", "rally",
    "rating", "rebound", "recall", "record", "report", "rise", "rival", "rivals", "sale", "sales", "settlement", "slide",
    "slump", "strategy", "surge", "top", "troubles", "turnaround", "valuation", "warning", "website", "woes",
))  # fmt: skip
"""What it has, where it stands as the owner: "Target's warning"."""

VERBS = frozenset((
    "absorbs", "accepts", "acquired", "acquires", "added", "adds", "admits", "agreed", "agrees", "announced",
    "announces", "apologises", "apologizes", "appeals", "appoints", "approves", "asks", "backs", "beats", "began",
    "begins", "bets", "bid", "bids", "blames", "blasts", "boosted", "boosts", "bought", "braces", "brings", "builds",
    "buys", "canceled", "cancelled", "cancels", "climbed", "climbs", "closed", "closes", "clouds", "completes",
    "confirmed", "confirms", "crashed", "crashes", "cratered", "craters", "cuts", "debuts", "declined", "declines",
    "defends", "delayed", "delays", "denied", "denies", "dipped", "dips", "disappoints", "ditches", "doubled", "doubles",
    "down", "downgrades", "drags", "dropped", "drops", "dumps", "earned", "earns", "ends", "enters", "exits", "expanded",
    "expands", "expected", "expects", "extends", "eyes", "faces", "fails", "falls", "fell", "filed", "files", "finds",
    "fined", "fires", "forecasts", "freezes", "furloughs", "gained", "gains", "gets", "gives", "grounds", "guides",
    "halted", "halts", "halved", "halves", "hiked", "hikes", "hires", "hits", "idled", "idles", "impresses", "initiates",
    "inks", "invested", "invests", "joined", "joins", "jumped", "jumps", "keeps", "lags", "lands", "launched",
    "launches", "leads", "lifted", "lifts", "loses", "lost", "lowered", "lowers", "lures", "made", "makes", "merges",
    "missed", "misses", "moves", "mulls", "named", "names", "narrows", "needs", "offers", "opened", "opens", "ousts",
    "outperforms", "overhauls", "overtakes", "paid", "parks", "partners", "pauses", "pays", "planned", "plans",
    "pledges", "plunged", "plunges", "poaches", "posted", "posts", "pours", "prepares", "prices", "promotes", "pulls",
    "pushes", "puts", "quadruples", "raised", "raises", "rallied", "rallies", "readies", "reaffirms", "reassures",
    "rebounds", "rebrands", "recalled", "recalls", "recovered", "recovers", "redesigns", "rehires", "reinstates",
    "reiterates", "rejects", "relaunches", "reopens", "reported", "reports", "restarts", "resumes", "returned",
    "returns", "revamps", "reveals", "rises", "rose", "said", "sank", "says", "scraps", "secures", "seeks", "sees",
    "sells", "settled", "settles", "sheds", "ships", "shocks", "shuts", "signed", "signs", "sinks", "slashed", "slashes",
    "slid", "slides", "slipped", "slips", "slumped", "slumps", "soared", "soars", "sold", "soothes", "spends", "spins",
    "splits", "started", "starts", "sticks", "stops", "struggles", "stumbles", "stuns", "succeeds", "sued", "sues",
    "surged", "surges", "suspended", "suspends", "swallows", "swaps", "takes", "taps", "teams", "teases", "tells",
    "tests", "topped", "tops", "touts", "trades", "trails", "tries", "trimmed", "trims", "triples", "tumbled", "tumbles",
    "turns", "underperforms", "unveiled", "unveils", "unwinds", "up", "upgrades", "vows", "walks", "warned", "warns",
    "weighs", "widens", "wins", "withdraws", "won",
))  # fmt: skip
"""What companies and their shares do in headlines."""

PLANS = frozenset((
    "acquire", "add", "announce", "appeal", "begin", "boost", "bring", "build", "buy", "close", "combine", "cut",
    "delay", "drop", "eliminate", "end", "exit", "expand", "freeze", "halt", "help", "hire", "hold", "host", "increase",
    "invest", "join", "launch", "lay", "leave", "list", "lose", "lower", "make", "merge", "move", "offer", "open",
    "participate", "pay", "present", "produce", "pull", "raise", "recall", "reduce", "release", "replace", "report",
    "restructure", "resume", "return", "scrap", "sell", "separate", "settle", "shed", "shut", "slash", "spend", "spin",
    "split", "start", "stop", "sue", "supply", "suspend", "take", "test", "trim", "unveil", "webcast",
))  # fmt: skip
"""What they are about to do: "Intel to buy"."""

WEAK_VERBS = frozenset((
    "can", "could", "had", "has", "is", "may", "must", "should", "was", "will", "would",
))  # fmt: skip
"""What may follow any subject."""

BEFORE = frozenset((
    "acquires", "airline", "automaker", "backer", "bank", "brewer", "buy", "carmaker", "chipmaker", "company",
    "downgrades", "drugmaker", "firm", "giant", "grocer", "group", "insurer", "lender", "long", "maker", "miner",
    "operator", "owner", "parent", "planemaker", "retailer", "rival", "rivals", "sell", "short", "supplier", "upgrades",
))  # fmt: skip
"""What introduces a company: "chipmaker Intel", "buy Ford"."""

PHRASES = frozenset((
    "analyst at", "analysts at", "bearish on", "bid for", "bullish on", "ceo of", "chief of", "deal with",
    "earnings from", "investors in", "maker of", "neutral on", "overweight on", "owner of", "parent of", "results from",
    "shareholders of", "shares in", "shares of", "stake in", "stock of", "sues", "takeover of", "talks with",
    "target on", "underweight on",
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

NOT_NAMES = NOUNS | VERBS | WEAK_VERBS | BEFORE | ARTICLES | OPENERS | {"to"}
"""Words that, with a capital beside a name, do not make it a part of a longer one."""
