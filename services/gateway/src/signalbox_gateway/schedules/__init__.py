"""Schedules: their times, their storage in Temporal, and what is shown of them."""
