"""Training jobs, and the backends that reach them. Knows no screen and no web framework."""
