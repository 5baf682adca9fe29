"""Everything at once, for as long as one likes, while what it stands on is killed under it."""
