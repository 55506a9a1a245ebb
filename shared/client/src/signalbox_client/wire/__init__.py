"""Requests and response types of the API by subject, and their conversion to snapshots."""
