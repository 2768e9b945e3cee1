"""The machines with GPUs, and who holds them."""
