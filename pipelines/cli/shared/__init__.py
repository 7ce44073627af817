"""What verbs share: options, files, flow runs, and how a decision or an entry is shown."""
