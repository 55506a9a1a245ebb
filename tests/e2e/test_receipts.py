"""A decision of the running stack has a receipt, which the operator's command verifies offline."""
