"""The queues of a context: quotas, and what waits in which order."""
