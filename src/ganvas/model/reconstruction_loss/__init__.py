"""One part: reconstruction loss. One file and one YAML each."""
