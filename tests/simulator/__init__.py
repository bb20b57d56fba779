"""Months of trouble in seconds: the real core, runtime and SQL, and doubles at the ports."""
