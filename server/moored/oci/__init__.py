"""What a run is to the kernel: its runtime spec, its cgroups, its processes. No containerd."""
