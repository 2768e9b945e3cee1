"""Sentences that several contexts say. Standard library alone: a supervisor says them too."""

RESTARTS_FROM_START = "starts again from the beginning, as a deployment does; run it as a job instead"
"""Of a deployment whose process has ended with 0."""
