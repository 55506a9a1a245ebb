"""An emulator of Cloud Run Jobs: serves google.cloud.run.v2 over gRPC and runs each task as a local process."""
