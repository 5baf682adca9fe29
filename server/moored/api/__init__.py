"""The wire: what a message means, and what becomes of an error. The only room that serves gRPC."""
