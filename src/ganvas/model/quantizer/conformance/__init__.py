"""What every quantizer promises, asked of one: see :mod:`ganvas.model.quantizer.conformance.suite`."""
