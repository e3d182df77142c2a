"""The real Booster T1: its protocol, a robot to test against, the hardware agent, stops and the dead-man process."""
