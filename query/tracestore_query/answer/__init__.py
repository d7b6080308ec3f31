"""What does the caller get: results, their JSON, and their formats."""
