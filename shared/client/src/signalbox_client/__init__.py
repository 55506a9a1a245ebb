"""signalbox_client."""
