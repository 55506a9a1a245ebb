"""Runs the pipelines: workflows and activities of every installed one, and the signed way of their events to the receiver."""
