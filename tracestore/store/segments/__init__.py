"""The segments that the store holds: their index, their writer, their tails."""
