"""Ports of running jobs, reached from this machine while the program is open."""
