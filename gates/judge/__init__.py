"""Policy, evidence and state in, a decision out: the engine, looks at holdouts, waivers, several candidates."""
