"""What runs unasked: it reacts to what happens, and mends what was left."""
