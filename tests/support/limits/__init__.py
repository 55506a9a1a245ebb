"""A pipeline for the library's own tests that runs into limits: of time, of size, of a remote's rate."""
