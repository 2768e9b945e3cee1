"""One job as a page: what is asked, what is shown of it, what can be done to it."""
