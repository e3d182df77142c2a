"""Operator devices and the mapper from their samples to commands."""
