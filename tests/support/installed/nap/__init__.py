"""A pipeline whose activities only sleep, to put load on workers."""
