"""The backend that reaches a Kubernetes cluster directly, with only a kubeconfig."""
