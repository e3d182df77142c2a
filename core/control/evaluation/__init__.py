"""How the controllers are measured: walking, hands, arms in contact, and a walk without learning to compare with."""
