"""The small server: accounts, owned jobs, clusters, history. It wraps a JobBackend and knows no screen."""
