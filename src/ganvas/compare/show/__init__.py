"""Comparisons for people and other programs: tables, pages, charts."""
