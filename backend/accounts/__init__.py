"""People and their logins, as routes and pages ask for them."""
