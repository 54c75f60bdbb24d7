"""The web pages. They read Postgres and know nothing else of the product but its settings."""
