"""What happens between a plan and its last row."""
