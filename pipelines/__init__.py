"""The flows of lockgate and what they call."""
