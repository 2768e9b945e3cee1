"""Sentences that several contexts say. Standard library alone: a supervisor says them too."""

AGAIN = "starts again from the beginning, as a deployment does; run it as a job instead"
"""Of a deployment whose process has ended with 0."""
