"""The hardware agent: the process that drives the robot, and everything it decides by itself."""
