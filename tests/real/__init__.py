"""Real parts for tests: a private containerd, a moored of its own process, real clients."""
