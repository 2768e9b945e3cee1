"""A traindeck server as a context: `JobBackend` over REST and server-sent events."""
