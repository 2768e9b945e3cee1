"""What jobs of a cluster use: the sources in order, and what each tells of which pod."""
