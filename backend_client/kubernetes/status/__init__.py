"""Objects of a cluster -> Job: state, reason, attempts (pure)."""
