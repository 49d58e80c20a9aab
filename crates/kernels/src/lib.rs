//! allod-kernels
