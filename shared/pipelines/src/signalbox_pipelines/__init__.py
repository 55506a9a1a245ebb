"""signalbox_pipelines."""
