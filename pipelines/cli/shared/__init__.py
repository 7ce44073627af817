"""What verbs share: options, files, tables, and how a decision or an entry is shown."""
