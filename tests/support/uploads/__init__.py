"""A pipeline that takes an uploaded file."""
