"""Code from a stranger in processes of their own: limits, and where Linux allows it namespaces. `programs.sandbox` and
the graders `code` and `sql` use it."""
