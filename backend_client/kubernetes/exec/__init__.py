"""Commands in containers: the channels of an exec, how it ended, and a command that is run to its end."""
