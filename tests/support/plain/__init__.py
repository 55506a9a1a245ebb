"""Plain Temporal code, as its users have it: it imports nothing of Signalbox."""
