"""How far results can be trusted: the instrument measures itself."""
