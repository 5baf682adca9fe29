"""What is tested on releases of containerd and runc that are not installed."""
