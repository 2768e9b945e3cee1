"""The form for a new job, as a browser sends it and as its pages show it."""
