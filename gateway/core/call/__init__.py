"""A call as a value, and the one function that moves it."""
