//! Large segments are read in parts: the answer is that of reading them whole, and what it takes is bounded.

mod damage;
mod ground;
mod listed;
mod requests;
mod same;
mod stream;
mod view;
mod world;
