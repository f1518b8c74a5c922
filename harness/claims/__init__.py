"""Published figures, and what was measured of them."""
