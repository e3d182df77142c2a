"""The queue: jobs of this machine, one after another. No torch and no Qt in here."""
