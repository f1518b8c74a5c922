"""The one exception that reaches a user: a sentence on what is wrong, where, and the remedy."""


class BadInput(Exception):
    """Something a user gave cannot be used.

    The text is a complete sentence that names the thing, where it was found and what to do about
    it. The command line prints it and leaves with status 2; nothing else may be read from it.
    """
