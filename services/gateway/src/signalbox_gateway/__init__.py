"""signalbox_gateway."""
