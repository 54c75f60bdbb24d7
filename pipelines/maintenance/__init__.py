"""Work on what is stored: retention and backfill."""
