"""A package of pipelines, installed as a customer would install their own."""
