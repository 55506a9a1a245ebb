"""The pipeline has no activities of its own."""
