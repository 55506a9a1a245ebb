"""Politeness towards the portal, shared by every worker: spacing, calls at once, cool-down, slow-down, circuit breaker."""
