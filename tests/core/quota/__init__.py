"""The rules of recording minutes."""
