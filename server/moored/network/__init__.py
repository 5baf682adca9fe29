"""Networks: the namespaces that runs live in, and the interfaces that they get there."""
