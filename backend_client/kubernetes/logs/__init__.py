"""The logs of a job's containers: read, resumed, merged."""
