"""Every part of the daemon that has to do with containers, built once and tied together.

Knows which part needs which, and nothing of gRPC servers, signals or sockets.
"""
