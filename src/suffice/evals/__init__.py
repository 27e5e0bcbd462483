"""Tasks, graders, the seal, the runner, and the daily verb: evaluate."""
