"""The state of an import: what is left, why it is halted, the lock per taxpayer."""
