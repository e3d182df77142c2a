"""The Booster T1 as facts with sources, and its MuJoCo model."""
