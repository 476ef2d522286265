"""The four drivers behind one protocol; each is imported by its own module alone, on first use."""
