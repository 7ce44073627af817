"""Composition of conf/ by Hydra, the vetting of overrides, and the frozen settings that come of it."""
