"""Pipelines in a separate package, discovered by its entry point (`support.servers.nap_worker`)."""
