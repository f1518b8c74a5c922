"""The machine that a result was measured on."""
