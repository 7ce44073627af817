"""What `lockgate init` writes into a repository that is already there, and what it finds in it."""
