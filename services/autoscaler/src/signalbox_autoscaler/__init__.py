"""signalbox_autoscaler."""
