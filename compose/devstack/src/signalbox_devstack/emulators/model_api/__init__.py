"""A simulated model server: the OpenAI-compatible chat API with injectable faults.

It is not a language model.
"""
