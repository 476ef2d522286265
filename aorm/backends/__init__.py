"""What belongs to one kind of database, by Django's module names."""
