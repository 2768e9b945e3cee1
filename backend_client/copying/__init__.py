"""Files and folders between this machine and a running job, over commands that run in it."""
