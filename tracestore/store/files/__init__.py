"""What lies where on disk or in a bucket, and who alone opens, syncs and renames it."""
