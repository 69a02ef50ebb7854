"""Layers that several networks share, and checks of what a network is asked for."""
