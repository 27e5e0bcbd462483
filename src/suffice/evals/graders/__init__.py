"""The built-in graders, one file per family; `evals.grade` is where they are public."""
