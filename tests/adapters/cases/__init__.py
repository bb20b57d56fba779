"""Cases of recorded calls on both databases."""
