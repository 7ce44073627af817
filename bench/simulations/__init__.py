"""What the gates promise, measured by simulation: `make simulate` writes docs/simulations.md."""
