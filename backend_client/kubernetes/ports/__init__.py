"""Ports in pods: which pod a rank runs in, one connection to a port of it, and why there is none."""
