"""Suffice: from test data to the easiest LLM solution shown to suffice."""
