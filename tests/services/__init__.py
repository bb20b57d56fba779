"""Real servers for tests: private, on Unix sockets, gone with the test process."""
