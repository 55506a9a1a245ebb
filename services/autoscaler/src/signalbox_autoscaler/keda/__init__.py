"""KEDA's external scaler protocol: offers the target of the sizing algorithm, not just the backlog."""
