"""Shards of tar files: listed, indexed, read, written."""
