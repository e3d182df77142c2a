"""NatNet, the protocol of OptiTrack's Motive: packets in, packets out (for the emulator), and a client."""
