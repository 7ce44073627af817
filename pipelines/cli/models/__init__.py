"""Verbs that train, judge, predict, plan and explain."""
