"""Codes of images as files: integer probabilities, arithmetic coding, the container .gvq."""
