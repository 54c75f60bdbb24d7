"""Stream agents: intake, market, scoring, watch, notify; `logic/` is the pure part."""
