"""Builds of the workers: how they change, what they serve, and whether runs are blocked on a new one."""
