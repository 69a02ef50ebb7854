"""What the pages show, without a page: images, codes, draws and comparisons as plain values."""
