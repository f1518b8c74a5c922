"""The commands of ``dirtyscan``, one module each: their options, and what they do with them."""
