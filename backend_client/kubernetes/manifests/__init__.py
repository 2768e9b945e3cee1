"""JobSpec -> the objects of a job (pure)."""
