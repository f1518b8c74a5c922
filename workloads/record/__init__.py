"""Recording: what a real guest writes in every tick, and the pre-copy loop of 2010 on it."""
