"""Log lines -> step, total, rate and loss; and who reads which job's log for them."""
