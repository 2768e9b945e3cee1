"""List and watch: reflector, deltas, and the cache of jobs they feed."""
