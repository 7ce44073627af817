"""GitHub's side of a pull request: what Actions tells a job, and the one comment that a job may write."""
