"""OCR engines behind one interface; each page is read in a subprocess of its own."""
