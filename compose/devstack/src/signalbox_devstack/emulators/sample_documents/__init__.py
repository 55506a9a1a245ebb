"""Papers of invented companies: invoices and letters in Vietnamese and English, scans and photos of them, and files that are traps."""
