"""Looks at a container from inside its network: by sockets that are made there, and no process."""
