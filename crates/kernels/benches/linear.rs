//! Throughput of the matrix product.
fn main() {}
