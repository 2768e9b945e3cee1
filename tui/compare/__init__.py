"""Several jobs over one another: their series as lines, their figures, in what their specs differ."""
