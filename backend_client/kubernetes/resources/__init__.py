"""Typed Kubernetes objects, the resource types that they are listed by, and the GPUs that nodes have."""
