"""Finding runs: the query language, Temporal's visibility store, and the list."""
