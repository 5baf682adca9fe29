"""Whatever bytes come from outside: they are understood, or refused by an error of ours."""
