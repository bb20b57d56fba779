"""Captures, their budgets, recovery and assembly: virtual time, real files and threads."""
