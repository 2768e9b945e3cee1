"""A traindeck server as a context: the Protocol over REST and server-sent events."""
