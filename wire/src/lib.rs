//! Bytes to values and back: the formats that metrics travel in.
