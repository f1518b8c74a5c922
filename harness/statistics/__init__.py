"""From samples to speedups with intervals."""
