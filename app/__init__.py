"""The window: shows state, starts and stops things, decides nothing."""
