"""Live sessions: one robot, one loop, in a process of its own."""
