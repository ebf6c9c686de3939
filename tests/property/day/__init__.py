"""A day in a small network, played by moves that mostly fit how things stand; what must hold after any of them."""
