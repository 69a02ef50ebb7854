"""Commands that come before a training: a project to begin with, and a look at what it would cost."""
