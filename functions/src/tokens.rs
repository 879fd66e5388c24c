//! Who may call: bearers of a token, of which only the hash is known here.

use access::{Hash, presented};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::environment::Environment;

/// SHA-256 of each token that is good. None: whoever reaches the function may call it, because the source has asked already.
#[derive(Debug, Default)]
pub struct Tokens(Vec<Hash>);

impl Tokens {
    /// `MAYFLY_TOKEN_SHA256`: hashes in hex, between commas. Where it is set, there must be one: nobody opens a function by
    /// what a template has left empty.
    pub fn of(environment: &mut Environment) -> Self {
        let hashes = environment.list("MAYFLY_TOKEN_SHA256");
        if hashes.is_empty() && environment.is_set("MAYFLY_TOKEN_SHA256") {
            environment.mistaken(
                "MAYFLY_TOKEN_SHA256 is set and names no hash: leave it out if whoever reaches the function may call it"
                    .to_owned(),
            );
        }
        let mut known = Vec::new();
        for hash in &hashes {
            match Hash::of_hex(hash) {
                Ok(hash) => known.push(hash),
                // whoever puts a token itself there does not want to see it in a log
                Err(error) => environment.mistaken(format!("MAYFLY_TOKEN_SHA256: {error}, between commas")),
            }
        }
        Self(known)
    }

    /// Whether the request has a token that is good: `Authorization: Bearer TOKEN`, or the token as the password of any user.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let Some(presented) = headers.get(AUTHORIZATION).and_then(|value| presented(value.as_bytes())) else {
            return false;
        };
        let found = Hash::of(presented.token());
        // all are compared whole, so time tells nothing about a hash, from which nothing about a token would follow anyway
        self.0.iter().fold(false, |good, known| good | known.same(&found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `secret` and `other`.
    const HASHES: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b, \
        D9298A10D1B0735837DC4BD85DAC641B0F3CEF27A47E5D53A54F2F3F5B2FCFFA";

    fn tokens(hashes: &str) -> anyhow::Result<Tokens> {
        let mut environment = Environment::of(&[("MAYFLY_TOKEN_SHA256", hashes)]);
        let tokens = Tokens::of(&mut environment);
        environment.finish().map(|()| tokens)
    }

    fn headers(authorization: Option<&str>) -> HeaderMap {
        let value = authorization.map(|text| (AUTHORIZATION, text.parse().expect("a header")));
        value.into_iter().collect()
    }

    #[test]
    fn only_bearers_are_admitted() {
        let known = tokens(HASHES).expect("hashes");
        let check = |authorization: Option<&str>, expect: bool| {
            assert_eq!(known.admit(&headers(authorization)), expect, "{authorization:?}");
        };
        check(Some("Bearer secret"), true);
        check(Some("bearer  other"), true);
        // the pairs are any:secret, :other, any:wrong, secret
        check(Some("Basic YW55OnNlY3JldA=="), true);
        check(Some("basic Om90aGVy"), true);
        check(Some("Basic YW55Ondyb25n"), false);
        check(Some("Basic c2VjcmV0"), false);
        check(Some("Bearer wrong"), false);
        check(Some("Bearer "), false);
        check(Some("secret"), false);
        check(Some("Digest secret"), false);
        check(None, false);
    }

    #[test]
    fn without_hashes_the_source_has_asked() {
        let mut environment = Environment::of(&[]);
        assert!(Tokens::of(&mut environment).admit(&headers(None)));
        environment.finish().expect("no mistakes");
    }

    #[test]
    fn what_is_set_names_a_hash() {
        for blank in ["", " ", ",", " , "] {
            let told = tokens(blank).expect_err("names none").to_string();
            assert!(told.contains("MAYFLY_TOKEN_SHA256 is set and names no hash"), "{blank:?}: {told}");
        }
    }

    #[test]
    fn what_is_no_hash_is_refused_and_not_told() {
        for wrong in ["secret", &HASHES[..63], &format!("{}g", &HASHES[..63])] {
            let told = tokens(wrong).expect_err("is none").to_string();
            assert!(told.contains("64 hexadecimal digits") && !told.contains(wrong), "{told}");
        }
    }
}
