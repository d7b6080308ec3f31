"""What is read: the plan as a value, and the rules that narrow it."""
