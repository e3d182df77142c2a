"""Motion capture: rigid bodies by name from NatNet (OptiTrack) or Vicon, checked and smoothed, on this clock."""
