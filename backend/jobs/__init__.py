"""Jobs of users: create, list, stop, delete, reconcile after a crash, history."""
