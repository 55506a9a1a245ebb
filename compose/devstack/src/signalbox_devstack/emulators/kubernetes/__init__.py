"""An emulator of Kubernetes Jobs: serves the REST paths of batch/v1 and runs each pod as a local process."""
