"""The alerts of a person: the list of them, and the watch that raises them where no server does."""
