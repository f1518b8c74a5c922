"""From samples to speedups with intervals, and the files that hold them."""
