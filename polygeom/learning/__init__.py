"""What networks learn and how: general tools over torch (the extra ``learn``), none tied to one study.

- `polygeom.learning.functions`: what a network computes, as a function: coefficients, losses, spectra, behaviour far
away
- `polygeom.learning.kernels`: kernels and kernel machines, of finite and infinite width
- `polygeom.learning.networks`: networks as torch modules, and their first weights
- `polygeom.learning.regions`: activation regions, their boundaries, and gradient confusion
- `polygeom.learning.tangent`: tangent kernels, operators and linearised networks
- `polygeom.learning.thresholds`: how many targets are interpolated, how many samples determine a function
- `polygeom.learning.training`: the training loop, its settings and checkpoints, and exact least squares
"""
