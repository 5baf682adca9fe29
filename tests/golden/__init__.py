"""The runtime specs of equivalent requests, beside those of another engine."""
