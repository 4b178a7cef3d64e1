"""Many perceptrons at once: their bounds, ranks and dimensions by compiled kernels, with the results of one by one."""
