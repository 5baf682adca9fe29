"""The command ``moorage``: what people type, around the client library."""

from moorage.cli.program import main

__all__ = ["main"]
