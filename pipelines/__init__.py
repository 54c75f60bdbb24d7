"""Batch work: `ingest/` brings items in, `training/` makes models, `demo/` is the demo scenario."""
