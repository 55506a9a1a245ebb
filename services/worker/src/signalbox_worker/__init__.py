"""signalbox_worker."""
