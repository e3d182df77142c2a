"""Tasks, written once in torch on top of the state."""
