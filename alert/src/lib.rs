//! Alert rules: files, state, evaluation and what is sent.
