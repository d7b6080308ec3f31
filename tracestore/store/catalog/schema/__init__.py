"""What a catalog is made of: its tables, what of them each version has, and the way from an older one to this."""
