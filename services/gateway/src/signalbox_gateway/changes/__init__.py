"""Changes of keys, policies, scoped tokens and schedules, for the ledger."""
