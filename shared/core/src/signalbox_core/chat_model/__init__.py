"""Client for OpenAI-compatible chat completion APIs: streaming, error classification and token prices."""
