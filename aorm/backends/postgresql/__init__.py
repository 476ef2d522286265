"""What belongs to PostgreSQL, by Django's module name."""
