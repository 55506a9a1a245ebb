"""Pipelines of another package, as an installation has them beside ours; found through its entry point."""
