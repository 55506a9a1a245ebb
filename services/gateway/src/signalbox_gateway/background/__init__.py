"""Background tasks: projector, start consumer, reconciler, recovery; restarted by a supervisor."""
