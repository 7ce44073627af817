"""A decision for people. One file a format, each a pure function of the decision."""
