"""Alerts: rules over the timeline of a job, pure; the same on a server, in an open program and in `wait`."""
