"""What outlives the process: the database, its tables, and how they came to be."""
