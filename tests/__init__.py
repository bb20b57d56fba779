"""Statements about behaviour; doubles stand only at the far edge."""
