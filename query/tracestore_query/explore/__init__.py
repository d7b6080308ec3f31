"""Looking around: facets of any path, counts over time, differences, a trace as a waterfall, what arrives."""
