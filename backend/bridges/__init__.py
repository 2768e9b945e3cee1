"""Bridges into jobs: commands and connections to ports, carried between a client and a job's cluster."""
