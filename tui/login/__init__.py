"""Logging in at a traindeck server."""
