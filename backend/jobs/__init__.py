"""Jobs of people: made, stopped, deleted, found again after a crash, remembered."""
