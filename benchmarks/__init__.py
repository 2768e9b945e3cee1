"""What is measured, each beside a peer. `make bench` runs all of it; nothing here is a test."""
