"""The cluster of the Kubernetes tests, for jobs that a server makes in it."""

from tests.backend_client.kubernetes.conftest import cluster, own_cluster, shared_cluster

__all__ = ["cluster", "own_cluster", "shared_cluster"]
