"""Widgets that know nothing about the application state."""
