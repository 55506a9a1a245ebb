"""Generates documents of fictitious companies in Vietnamese and English: PDFs, scans, photos, bad files."""
