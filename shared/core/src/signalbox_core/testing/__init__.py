"""Fakes for testing pipelines and services; each passes the same tests as the real implementation."""
