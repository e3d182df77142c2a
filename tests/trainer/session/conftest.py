import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "core" / "teleop"))  # rehearsal.py: an operator made of numbers
