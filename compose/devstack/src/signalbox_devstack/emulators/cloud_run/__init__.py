"""Cloud Run Jobs in small: speaks google.cloud.run.v2 over gRPC and runs each task as a process of this machine."""
