"""The history of jobs, also deleted ones."""
