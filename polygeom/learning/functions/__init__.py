"""What a network computes, as a function: coefficients, losses, spectra, behaviour far away."""
