//! Settings from the environment. Mistakes are collected, so that whoever deploys hears of all of them at once.

use std::collections::BTreeMap;

/// The environment of a function, and what is wrong with what was read of it so far.
#[derive(Debug, Default)]
pub struct Environment {
    /// `None`: it is no text.
    variables: BTreeMap<String, Option<String>>,
    mistakes: Vec<String>,
}

impl Environment {
    /// That of the process.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok())));
        Self { variables: variables.collect(), mistakes: Vec::new() }
    }

    /// One of these variables.
    pub fn of(variables: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), Some((*value).to_owned()));
        Self { variables: variables.iter().map(owned).collect(), mistakes: Vec::new() }
    }

    /// A variable; `None` if it is not set or empty.
    pub fn text(&mut self, name: &str) -> Option<String> {
        match self.variables.get(name) {
            Some(Some(value)) => Some(value.clone()).filter(|value| !value.is_empty()),
            Some(None) => {
                self.mistakes.push(format!("{name} is not UTF-8"));
                None
            }
            None => None,
        }
    }

    /// Whether a variable is set, if only to nothing.
    pub fn is_set(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// A variable that must be set; `expected` says to what.
    pub fn required(&mut self, name: &str, expected: &str) -> String {
        let before = self.mistakes.len();
        let found = self.text(name);
        if found.is_none() && self.mistakes.len() == before {
            self.mistakes.push(format!("{name} is not set: expected {expected}"));
        }
        found.unwrap_or_default()
    }

    /// What `parse` makes of a variable that is set.
    pub fn parsed<T, E: std::fmt::Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(name)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.mistakes.push(format!("{name} is {text:?}: {reason}"));
                None
            }
        }
    }

    /// A duration longer than nothing, like `1h30m`, in milliseconds.
    pub fn duration_ms(&mut self, name: &str) -> Option<i64> {
        self.parsed(name, |text| match model::duration::parse(text) {
            Ok(1..) => Ok(model::duration::parse(text).unwrap_or_default()),
            Ok(_) => Err("expected a duration longer than nothing, like 1h30m".to_owned()),
            Err(error) => Err(format!("{error}; expected one like 1h30m")),
        })
    }

    /// A whole number above 0.
    pub fn count(&mut self, name: &str) -> Option<u64> {
        self.parsed(name, |text| {
            text.parse().ok().filter(|count| *count > 0).ok_or("expected a whole number above 0")
        })
    }

    /// `true` or `false`; not set is `false`.
    pub fn flag(&mut self, name: &str) -> bool {
        self.parsed(name, |text| text.parse().map_err(|_| "expected true or false")).unwrap_or_default()
    }

    /// Parts between commas.
    pub fn list(&mut self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// Remembers a mistake that only others can see.
    pub fn mistaken(&mut self, mistake: String) {
        self.mistakes.push(mistake);
    }

    /// Whether everything that was read made sense.
    ///
    /// # Errors
    /// All mistakes in one line.
    pub fn finish(self) -> anyhow::Result<()> {
        anyhow::ensure!(self.mistakes.is_empty(), "{}", self.mistakes.join("; "));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_each_kind() {
        let variables = [("TEXT", "a"), ("EMPTY", ""), ("FOR", "1h30m"), ("MANY", "7"), ("ON", "true")];
        let mut environment = Environment::of(&variables);
        assert_eq!(environment.text("TEXT").as_deref(), Some("a"));
        assert_eq!((environment.text("EMPTY"), environment.text("GONE")), (None, None));
        assert_eq!(environment.required("TEXT", "any"), "a");
        assert_eq!(environment.duration_ms("FOR"), Some(5_400_000));
        assert_eq!((environment.count("MANY"), environment.count("EMPTY")), (Some(7), None));
        assert_eq!((environment.flag("ON"), environment.flag("OFF")), (true, false));
        environment.finish().expect("no mistakes");
        assert_eq!(Environment::of(&[("L", "a, b,,c ")]).list("L"), ["a", "b", "c"]);
    }

    #[test]
    fn all_mistakes_are_told_in_one_line() {
        let variables = [("FOR", "5"), ("ZERO", "0s"), ("MANY", "-1"), ("ON", "yes")];
        let mut environment = Environment::of(&variables);
        assert_eq!(environment.required("GONE", "s3://BUCKET/PREFIX"), "");
        environment.duration_ms("FOR");
        environment.duration_ms("ZERO");
        environment.count("MANY");
        environment.flag("ON");
        let told = environment.finish().expect_err("mistakes").to_string();
        for part in [
            "GONE is not set: expected s3://BUCKET/PREFIX; ",
            "FOR is \"5\": ",
            "ZERO is \"0s\": ",
            "MANY is \"-1\": expected a whole number above 0",
            "ON is \"yes\": expected true or false",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(!told.contains('\n'));
    }
}
