"""Panels of the window: each shows one part of the state and asks for changes; panels never meet each other."""
