"""The whole system on one machine without containers, for people and tests; never in an image."""
