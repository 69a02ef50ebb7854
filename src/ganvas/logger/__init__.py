"""Loggers of our own, where a library's would lose or repeat rows."""
