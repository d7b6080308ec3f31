"""From a payload to a durable row, and from rows in memory to a segment."""
