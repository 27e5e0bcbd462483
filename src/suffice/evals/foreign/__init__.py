"""Runs that other evaluation tools wrote: one file per format, all read into one shape."""
