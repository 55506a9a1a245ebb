"""A customer's pipeline with one question, and the page that starts, watches and decides it."""
