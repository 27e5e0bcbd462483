"""What surrounds one exchange, each a function Call -> Call; their order stands in `models/stack.py`."""
