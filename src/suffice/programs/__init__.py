"""Solutions as plain functions: calling them, their identity, routes and bundles."""
