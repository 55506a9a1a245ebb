"""Access without a session: scoped tokens, and decisions by link."""
