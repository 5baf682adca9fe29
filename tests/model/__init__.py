"""Random programs against the whole house."""
