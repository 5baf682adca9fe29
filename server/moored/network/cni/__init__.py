"""Networks that plugins make, as the Container Network Interface says: the way to all others."""
