"""Authentication: users, passwords, tokens, throttling, and the caller of a request."""
