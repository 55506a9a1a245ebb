"""signalbox_webhook_receiver."""
