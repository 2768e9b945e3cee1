"""The REST API, one file per group of routes."""
