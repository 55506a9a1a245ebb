"""The worker: runs the installed pipelines and delivers their events, signed, to the webhook receiver."""
