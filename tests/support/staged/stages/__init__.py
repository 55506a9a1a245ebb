"""A pipeline of three steps that counts what it does and fails on demand."""
