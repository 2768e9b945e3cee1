"""The database of the server: users, tokens, clusters, jobs and their history, the audit log."""
