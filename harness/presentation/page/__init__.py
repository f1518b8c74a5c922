"""The page: one HTML file with everything that a result says."""
