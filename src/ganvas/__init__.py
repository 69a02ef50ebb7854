"""ganvas: experiments with GANs and vector-quantized autoencoders."""

__version__ = "0.1.0"
