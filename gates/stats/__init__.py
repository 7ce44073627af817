"""The numerical core: arrays in, numbers out. No I/O, no clock, no random state."""
