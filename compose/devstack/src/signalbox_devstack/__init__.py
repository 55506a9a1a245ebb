"""signalbox_devstack."""
