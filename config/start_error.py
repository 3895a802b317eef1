"""Why Sluice cannot start, as a sentence for the person who starts it."""


class StartError(Exception):
    """The message is all the person sees: it names the fact and the way out."""
