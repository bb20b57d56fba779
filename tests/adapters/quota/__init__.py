"""Recording minutes on real databases."""
