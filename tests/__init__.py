"""Everything that says what moorage promises, and whether it is so."""
