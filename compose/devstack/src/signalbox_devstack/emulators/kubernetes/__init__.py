"""The Jobs of a Kubernetes API in small: the REST paths of batch/v1, and each pod a process of this machine."""
