"""Two pipelines for the library's own tests: `purchase` calls `quote`."""
