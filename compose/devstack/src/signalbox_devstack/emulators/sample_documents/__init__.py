"""Generates documents of invented companies in Vietnamese and English: PDFs, scans, photos, and broken files."""
