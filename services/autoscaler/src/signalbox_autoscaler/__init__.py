"""Watches the backlog of every task queue. This version observes and reports; it launches nothing."""
