"""Reading a document: fetch its bytes, detect its media type, turn it into pages."""
