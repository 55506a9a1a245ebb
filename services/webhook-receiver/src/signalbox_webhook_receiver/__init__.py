"""The webhook receiver: verifies signed deliveries, publishes their events, and says 202 only when Pub/Sub has them."""
