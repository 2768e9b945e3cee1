"""The clusters behind the server: each opened once, watched once, published to all by the hub."""
