"""The import's workflow state: what is left, what halted it, the lock per taxpayer."""
