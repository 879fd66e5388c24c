//! Black-box tests: helpers that start the real binary.
