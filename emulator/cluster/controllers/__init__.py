"""What makes the cluster do what its objects say: one controller a kind, each a pure step over the store."""
