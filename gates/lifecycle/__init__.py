"""What happens to models: commit, admission, revocation, rollback, waivers, doubt, reverification, tags."""
