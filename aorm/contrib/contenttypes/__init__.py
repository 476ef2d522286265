"""Relations to objects of any model: `ContentType`, generic foreign keys and the way back."""
