"""Official recordings on real stores, real files and the sandbox."""
