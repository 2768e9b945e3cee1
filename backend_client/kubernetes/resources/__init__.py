"""Typed Kubernetes objects, and the resource types that they are listed by."""
