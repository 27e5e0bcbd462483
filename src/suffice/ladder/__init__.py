"""Rungs, the climb, the decision, and the gate."""
