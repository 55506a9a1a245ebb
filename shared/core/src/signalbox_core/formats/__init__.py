"""Readers of written forms that several pipelines share: numbers, currencies and XML."""
