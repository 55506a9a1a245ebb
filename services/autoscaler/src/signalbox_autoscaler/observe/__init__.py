"""Observation: one read of all queues per tick, in a bounded number of calls."""
