"""Native kernels: bytes in, columns out. No I/O, no policy, no pyarrow."""
