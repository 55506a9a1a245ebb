"""Classifying a document by weighted cues."""
