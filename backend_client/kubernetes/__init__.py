"""Straight to a Kubernetes cluster, with only a kubeconfig."""
