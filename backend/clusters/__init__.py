"""The clusters behind the server: opened once, watched once, told to all."""
