//! Damaged inputs for fuzzing on stable Rust: the same seed gives the same inputs.

/// Makes new inputs of old ones.
#[derive(Debug)]
pub struct Mutator {
    random: fastrand::Rng,
    corpus: Vec<Vec<u8>>,
    tokens: Vec<Vec<u8>>,
}

/// Inputs do not grow beyond this.
const BYTES_MAX: usize = 4 << 10;

impl Mutator {
    /// `corpus` are inputs that are good or nearly so, `tokens` pieces that mean something. Neither may be empty.
    pub fn new(seed: u64, corpus: &[&[u8]], tokens: &[&[u8]]) -> Self {
        let owned = |of: &[&[u8]]| of.iter().map(|bytes| bytes.to_vec()).collect();
        Self { random: fastrand::Rng::with_seed(seed), corpus: owned(corpus), tokens: owned(tokens) }
    }

    /// A number to choose by.
    pub fn below(&mut self, end: usize) -> usize {
        self.random.usize(0..end)
    }

    /// One of the corpus, changed in a few places.
    pub fn input(&mut self) -> Vec<u8> {
        let mut input = self.any();
        for _ in 0..self.random.usize(0..8) {
            self.change(&mut input);
        }
        input.truncate(BYTES_MAX);
        input
    }

    fn any(&mut self) -> Vec<u8> {
        let index = self.random.usize(0..self.corpus.len());
        self.corpus[index].clone()
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.random.usize(0..=input.len());
        match self.random.u8(0..9) {
            0 if at < input.len() => input[at] ^= 1 << self.random.u8(0..8),
            1 if at < input.len() => input[at] = self.random.u8(..),
            2 => input.truncate(at),
            3 => {
                let end = self.random.usize(at..=input.len());
                input.drain(at..end);
            }
            4 => {
                let end = self.random.usize(at..=input.len().min(at + 64));
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            5 => {
                let other = self.any();
                let from = self.random.usize(0..=other.len());
                input.splice(at.., other[from..].iter().copied());
            }
            6 => {
                let count = self.random.usize(0..300);
                let byte = input.get(at).copied().unwrap_or(b'(');
                input.splice(at..at, std::iter::repeat_n(byte, count));
            }
            7 => input.insert(at, self.random.u8(..)),
            _ => {
                let index = self.random.usize(0..self.tokens.len());
                let token = self.tokens[index].clone();
                let end = at + self.random.usize(0..=token.len().min(input.len() - at));
                input.splice(at..end, token);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_inputs_and_they_differ_from_each_other() {
        let inputs = |seed: u64| -> Vec<Vec<u8>> {
            let mut mutator = Mutator::new(seed, &[b"hello world", b"a{b=\"c\"} 1\n"], &[b"NaN", b"\xff"]);
            (0..200).map(|_| mutator.input()).collect()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
        let mut distinct = inputs(1);
        distinct.sort();
        distinct.dedup();
        assert!(distinct.len() > 120, "{}", distinct.len());
        assert!(distinct.iter().all(|input| input.len() <= BYTES_MAX));
    }
}
