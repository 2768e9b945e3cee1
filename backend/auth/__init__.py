"""Who is it: passwords, tokens, throttling, and the caller of a request."""
