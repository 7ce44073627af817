"""What a run claims: arrays, facts, row ids, digests, defects, and the Arrow file that holds them."""
