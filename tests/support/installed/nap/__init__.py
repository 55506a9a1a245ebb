"""A pipeline whose activities only take time: load for the fleet."""
