"""Long work, each a process with a run folder."""
