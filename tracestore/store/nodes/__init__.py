"""Several processes that share a catalog and a bucket: how each follows the others, and who does what."""
