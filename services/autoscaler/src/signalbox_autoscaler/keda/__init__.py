"""KEDA's external scaler protocol: offers what the sizing algorithm wants, not the backlog alone."""
