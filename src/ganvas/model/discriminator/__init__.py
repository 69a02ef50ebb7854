"""One part: discriminator. One file and one YAML each."""
