"""A model server in small: the OpenAI-compatible chat API, streamed or not, with faults on demand. It is no language model."""
