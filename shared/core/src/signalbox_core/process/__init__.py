"""Parts of every service process: start and shutdown, tasks, single flight, hot-reloaded files."""
