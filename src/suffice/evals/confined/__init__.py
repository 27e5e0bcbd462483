"""What runs inside of a confined process (`programs.confined`) for the graders `code` and `sql`."""
