"""Recording, data sets and their schema."""
