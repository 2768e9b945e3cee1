"""One's own code, from a folder here to where a job runs: what of it goes along, packed, taken out again."""
