"""What a container sees as files beside its root filesystem."""
