"""What a query sees: snapshots, the leaves of their segments, patched columns."""
