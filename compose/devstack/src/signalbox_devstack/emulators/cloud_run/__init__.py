"""An emulator of Cloud Run Jobs: google.cloud.run.v2 over gRPC; each task runs as a local process."""
