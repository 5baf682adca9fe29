"""End to end: a real moored on a real containerd, by clients that only know the wire."""
