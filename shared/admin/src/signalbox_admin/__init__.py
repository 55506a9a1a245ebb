"""signalbox_admin."""
