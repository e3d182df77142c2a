"""The control stack: commands in, joint targets out."""
