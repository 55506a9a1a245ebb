"""Votes on approvals: sent to their runs one by one or many at once, or previewed."""
