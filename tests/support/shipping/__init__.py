"""A pipeline that waits for external events: a payment, and a carrier's confirmation."""
