"""What the server keeps: people, tokens, clusters, jobs as rows and as history, the audit log."""
