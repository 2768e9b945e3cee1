"""Progress out of log lines: step, total, rate and loss; and the sampler that reads jobs' logs for it."""
