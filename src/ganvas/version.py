"""The version, where every file may read it: the package itself offers names of files that do."""

__version__ = "0.2.0"
