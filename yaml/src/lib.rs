//! YAML with places: a tree in which every node knows its line and column, and a decoder for it.
//!
//! Files that Prometheus reads too must be refused in its words, and those come from Go's YAML decoder: see [`Decoder`]. Mistakes in
//! other files are told with line and column: see [`Reader`].

mod decoder;
mod reader;
mod tree;

pub use decoder::{Decoder, Entries, Key, MergeError, Mistakes};
pub use reader::{MISTAKES_MAX, PlacedMistake, Reader};
pub use tree::{
    Content, DEPTH_MAX, Document, NODES_MAX, Node, Position, YamlError, has_aliases, parse, whole_number,
};
