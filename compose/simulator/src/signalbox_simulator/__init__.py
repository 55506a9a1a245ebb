"""The simulator: drives the production `decide`, and models of other autoscalers, on the same traces. No part of the service uses it."""
