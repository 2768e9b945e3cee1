"""Jobs as processes of this machine, GPUs as slots. No daemon: each job has a small supervisor."""
