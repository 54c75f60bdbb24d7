"""Benchmarks: `make bench` runs them all, prints a table and one JSON line last."""
