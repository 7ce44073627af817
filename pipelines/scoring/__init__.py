"""Training, scoring beside the champion, evidence, parity, distributions, and predictions."""
