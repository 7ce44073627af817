"""What kinds of gate are made of: shared keys, the case they judge, limits, groups of rows."""
