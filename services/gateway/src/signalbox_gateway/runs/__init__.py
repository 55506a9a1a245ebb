"""Runs behind the API: Temporal, projections, pending starts, decisions. No HTTP."""
