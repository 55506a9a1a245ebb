"""Who may launch, what was meant to be launched, and what it may cost: all in Redis, all fenced by the leader's epoch."""
