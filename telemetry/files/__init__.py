"""Files of loggers without a network: exports to readings, what they say of themselves, and our own count."""
