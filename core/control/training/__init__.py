"""How the controllers are trained: environments, rewards, disturbances, teacher and student. Not deployed."""
