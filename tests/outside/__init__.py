"""The machine as others see it: by tools that are not ours, and that we cannot fool."""
