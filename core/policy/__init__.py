"""Learned planners: what they see, how they are built, how they are sampled, stored and played."""
