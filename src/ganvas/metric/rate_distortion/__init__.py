"""Bits an image against the error of what is decoded: of codes, under a prior too, and of image files."""
