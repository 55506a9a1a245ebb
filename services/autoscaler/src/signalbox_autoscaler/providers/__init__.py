"""Who runs burst workers: Cloud Run Jobs, Kubernetes Jobs, or processes of this machine; all behind `provider.Provider`."""
