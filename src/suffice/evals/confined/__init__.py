"""Code from a stranger in processes of their own: limits, and where Linux allows it namespaces. `graders.code` and
`graders.sql` use it."""
