"""What the server tells Prometheus about itself, its jobs and its clusters."""
