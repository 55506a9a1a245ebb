"""Rate limiting of the portal, shared by all workers: spacing, concurrency, back-off, circuit breaker."""
