"""Fakes that pipelines and services are tested with; each passes the same tests as the real thing."""
