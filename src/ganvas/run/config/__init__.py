"""From a run's config to its parts, within what may be named."""
