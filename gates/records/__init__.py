"""What is said and kept: outcome, decision, state."""
