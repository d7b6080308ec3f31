"""What can stand in FROM: stored tables, views, tables of the catalog, table functions."""
