"""The transactional list of segments, paths, projects, datasets, patches and keys."""
