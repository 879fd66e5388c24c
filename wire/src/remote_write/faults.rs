//! What is wrong with parts of a request.

/// How many faults of one request are told; the others are counted.
const TOLD_MAX: usize = 100;

/// What was left out of a request and why, a line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    told: Vec<String>,
    untold: usize,
    limits: Vec<&'static str>,
}

impl Faults {
    /// Adds one. The text is made only if it is going to be told.
    pub fn add(&mut self, text: impl FnOnce() -> String) {
        if self.told.len() < TOLD_MAX {
            self.told.push(text());
        } else {
            self.untold += 1;
        }
    }

    /// Adds one that is due to a limit, by the name of its setting, or to none.
    pub fn add_of(&mut self, limit: Option<&'static str>, text: impl FnOnce() -> String) {
        self.add(text);
        if let Some(limit) = limit.filter(|limit| !self.limits.contains(limit)) {
            self.limits.push(limit);
        }
    }

    /// The limits that some are due to, each once, in the order in which they were exceeded first.
    pub fn limits(&self) -> &[&'static str] {
        &self.limits
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.told.len() + self.untold
    }

    /// All that is told, as one text.
    pub fn text(&self) -> String {
        let mut text = self.told.join("\n");
        if self.untold > 0 {
            text.push_str(&format!("\nand {} more", self.untold));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_once() {
        let mut faults = Faults::default();
        for limit in [None, Some("b_max"), Some("a_max"), None, Some("b_max")] {
            faults.add_of(limit, || "f".to_owned());
        }
        assert_eq!((faults.len(), faults.limits()), (5, &["b_max", "a_max"][..]));
    }

    #[test]
    fn not_all_of_many_are_told() {
        let mut faults = Faults::default();
        assert!(faults.is_empty());
        (0..TOLD_MAX + 2).for_each(|index| faults.add(|| format!("f{index}")));
        let text = faults.text();
        assert_eq!((faults.len(), text.lines().count()), (TOLD_MAX + 2, TOLD_MAX + 1));
        assert!(text.starts_with("f0\nf1\n") && text.ends_with("f99\nand 2 more"), "{text}");
    }
}
