"""Runs behind the API: Temporal, projections, pending starts, decisions. Knows no HTTP."""
