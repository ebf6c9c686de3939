"""The people of the simulated day, one module each."""
