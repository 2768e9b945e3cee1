"""Kueue's queues: which may be read, what they have, and what waits in them."""
