"""Messages that several backends share. Standard library alone: a supervisor shows them too."""

RESTARTS_FROM_START = "starts again from the beginning, as a deployment does; run it as a job instead"
"""The end of a sentence about a deployment whose process has ended with 0."""
