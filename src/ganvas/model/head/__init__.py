"""One part: the head of a discriminator. One file and one YAML each."""
