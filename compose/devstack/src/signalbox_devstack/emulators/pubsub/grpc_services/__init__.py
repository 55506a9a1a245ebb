"""The gRPC services of google.pubsub.v1 and their handlers."""
