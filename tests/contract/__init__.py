"""One set of cases for the fake containerd and for a real one: the fake may not lie."""
