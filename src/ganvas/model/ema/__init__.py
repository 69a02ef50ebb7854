"""One part: ema. One file and one YAML each."""
