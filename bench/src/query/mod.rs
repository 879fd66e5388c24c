//! What `bench-query` needs: data, questions, the programs that answer them, and what answers have in common.

pub mod answer;
pub mod cost;
pub mod fleet;
pub mod kept;
pub mod question;
pub mod report;
