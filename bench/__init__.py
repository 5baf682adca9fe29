"""Figures: how long what callers wait for takes."""
