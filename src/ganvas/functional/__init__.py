"""Pure tensor functions; torch alone."""
