"""Templates: how a request, its documents and earlier answers become the text a model was trained to read.

Pure: package data and string building. Training uses the same functions, so that both see the same text.
"""
