"""The life of a service process: start, tasks, graceful shutdown."""
