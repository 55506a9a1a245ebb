"""The webhook receiver: verifies signed deliveries and publishes their events before it responds 202."""
