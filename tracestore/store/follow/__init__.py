"""How another process of this machine sees what the writer sees: changes out of one store and into another."""
