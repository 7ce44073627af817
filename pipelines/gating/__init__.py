"""lockgate in a flow of one's own: what its gated step says, and what whoever serves its champion asks.

`lockgate.metaflow` has the decorator; `lockgate` exports `evidence`, `champion`, `admit` and `judge_run` of this room.
"""
