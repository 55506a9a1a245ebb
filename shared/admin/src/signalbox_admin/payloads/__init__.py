"""Stored payloads of runs: which of them nothing needs any more."""
