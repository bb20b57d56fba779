"""Recordings of calls: which are made, and what becomes of them. Pure rules."""
