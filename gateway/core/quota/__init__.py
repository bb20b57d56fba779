"""Recording minutes: what is owned, taken, held and given back. Pure rules."""
