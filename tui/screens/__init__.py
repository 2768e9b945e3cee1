"""What fills the terminal: one screen a file, its .tcss of the same name beside it."""
