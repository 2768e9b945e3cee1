"""Ports of running jobs on this machine: what listens in a job, and who carries connections to it."""
