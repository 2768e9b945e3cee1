"""traindeck: what a person sees and types."""
