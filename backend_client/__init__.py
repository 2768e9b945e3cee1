"""Training jobs, and the ways to reach them. Knows no screen and no web framework."""
