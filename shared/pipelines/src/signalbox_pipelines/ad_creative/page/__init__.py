"""Reads the product page: facts, colours, logo and pictures."""
