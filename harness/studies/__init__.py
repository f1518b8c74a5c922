"""Studies: measurements over a range of maps, sizes or compilers, each with a table of its own."""
