"""Reinforcement learning: GAE, PPO."""
