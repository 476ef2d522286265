"""What belongs to aorm without being needed by all: import the package that you want."""
