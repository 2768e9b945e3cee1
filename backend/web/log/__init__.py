"""A job's log as a page: which part of it, as HTML, and as it is written."""
