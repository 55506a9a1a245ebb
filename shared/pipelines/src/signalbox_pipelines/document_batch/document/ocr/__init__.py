"""OCR engines behind one interface; each page is read by a subprocess of its own."""
