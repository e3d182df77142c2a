"""The comparison of methods: what has to be trained and measured, doing it, and its tables."""
