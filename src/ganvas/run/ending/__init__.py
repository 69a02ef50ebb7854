"""How a training ends: by its budget, a signal, a failure, or before it began."""
