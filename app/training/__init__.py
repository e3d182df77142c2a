"""The Train page: jobs of every kind, the queue, runs, and their curves."""
