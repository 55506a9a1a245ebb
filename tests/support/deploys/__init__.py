"""A pipeline whose runs wait for a person, and releases of it that break such runs."""
