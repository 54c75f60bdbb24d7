"""`make bench-detection`: how early and how surely surges are found, at a fixed rate of false alarms, beside eight rivals."""
