"""What is sent and what comes back: one file for each half of a wire dialect, and what both share."""
