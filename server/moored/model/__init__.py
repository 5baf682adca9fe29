"""Pure values and rules. No I/O, no clock, no lock."""
