"""The table of jobs on both databases."""
