"""What samples are: images, points, sound, text. Who reads, writes, shows or counts samples asks here."""
