"""Sizes burst workers for the backlog of every task queue: observes, decides, launches, retires, and records why."""
