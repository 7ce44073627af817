"""What only the flow files need: their configs, their platform, their output."""
