"""When a waiting job is likely to start."""
