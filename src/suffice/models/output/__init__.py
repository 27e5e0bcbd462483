"""Structured output: a Python type to a JSON schema, a model's text to a value of the type. Pure functions."""
