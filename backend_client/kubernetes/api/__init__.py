"""Reach an API server: kubeconfig, credentials, TLS, proxies, HTTP, its errors."""
