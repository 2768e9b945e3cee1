"""What a Prometheus tells of jobs: its HTTP API, its exporters, the queries, and what comes of them."""
