"""The media worker, as a real process on real sockets, with real WebRTC peers."""
