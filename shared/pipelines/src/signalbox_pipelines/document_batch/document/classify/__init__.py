"""Classifying a document by weighted phrases."""
