"""What only nodes that share a catalog need of it: who they are, and what each changed."""
