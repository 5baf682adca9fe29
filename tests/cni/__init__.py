"""Networks that plugins make: the rules, and plugins that obey, fail, hang and lie."""
