"""Results: the rows of a run, and the files that hold them."""
