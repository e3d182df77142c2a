"""The border to the world: one handful of methods, batched over N worlds."""
