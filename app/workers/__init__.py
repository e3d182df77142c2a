"""Work that would make the window wait: background threads for reading, detached processes for jobs."""
