"""Alerts of a server: the rules over all jobs, the outbox, and the channels that it is sent by."""
