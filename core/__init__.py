"""The library: robot facts, backends, tasks, control, planners, teleoperation, safety, data, learning, the loop."""
