"""What kinds of gates are made of: keys, the case that is judged, limits, groups of rows."""
