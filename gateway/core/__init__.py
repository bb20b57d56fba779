"""The rulebook: pure values and functions; no clock, no await, no logger."""
