"""A pipeline that waits for events from outside: a payment, and a carrier's confirmation."""
