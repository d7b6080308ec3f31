# Kernels for other kernels only: nothing here is called from Python.
