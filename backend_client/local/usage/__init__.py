"""What the jobs of this machine use: GPUs by NVML, CPU and memory out of /proc."""
