"""Dialogs: shortcuts, about, errors."""
