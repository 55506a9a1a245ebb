"""Reading a document: fetch its bytes, detect its format, turn it into pages of text.

To support a new file format, implement `pages.DocumentPages` in a module of its own, add its media
type to `media_types.ACCEPTED` and its class to `formats.OPENERS`.
"""
