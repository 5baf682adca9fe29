"""The adapter to containerd: the only room that knows its wire API and its gRPC codes."""
