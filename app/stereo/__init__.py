"""The simulated scene in the headset, in a process of its own; optional, input never depends on it (no Qt here)."""
