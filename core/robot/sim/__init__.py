"""A robot to test against: speaks the T1's DDS protocol, steps the MuJoCo T1, injects faults, reports violations."""
