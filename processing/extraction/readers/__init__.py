"""One module per family of formats; each reader takes a Source and returns an Extraction.

Parser libraries are imported inside the functions that use them: the worker
imports this package for its names, and only the sandboxed child, which has them
preloaded, pays for the parsers (over 200 MB of them).
"""
