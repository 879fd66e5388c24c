//! Who may call: bearers of a token, of which only the hash is known here.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};

use crate::environment::Environment;

type Hash = [u8; 32];

/// SHA-256 of each token that is good. None: whoever reaches the function may call it, because the source has asked already.
#[derive(Debug, Default)]
pub struct Tokens(Vec<Hash>);

impl Tokens {
    /// `MAYFLY_TOKEN_SHA256`: hashes in hex, between commas.
    pub fn of(environment: &mut Environment) -> Self {
        let hashes = environment.list("MAYFLY_TOKEN_SHA256");
        let mut known = Vec::new();
        for hash in &hashes {
            match hash_of_hex(hash) {
                Some(hash) => known.push(hash),
                // whoever puts a token itself there does not want to see it in a log
                None => environment.mistaken(
                    "MAYFLY_TOKEN_SHA256: expected 64 hexadecimal digits, as sha256sum prints them, between commas"
                        .to_owned(),
                ),
            }
        }
        Self(known)
    }

    /// Whether the request has a token that is good: `Authorization: Bearer TOKEN`, or the token as the password of any user.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let Some(token) = headers.get(AUTHORIZATION).and_then(|value| token(value.as_bytes())) else {
            return false;
        };
        let found: Hash = Sha256::digest(&token).into();
        // all are compared whole, so time tells nothing about a hash, from which nothing about a token would follow anyway
        self.0.iter().fold(false, |good, known| good | same(known, &found))
    }
}

fn same(one: &Hash, other: &Hash) -> bool {
    one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

fn token(header: &[u8]) -> Option<Vec<u8>> {
    let space = header.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = (&header[..space], header[space + 1..].trim_ascii());
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(rest.to_vec());
    }
    if scheme.eq_ignore_ascii_case(b"basic") {
        let pair = BASE64_STANDARD.decode(rest).ok()?;
        let colon = pair.iter().position(|byte| *byte == b':')?;
        return Some(pair[colon + 1..].to_vec());
    }
    None
}

fn hash_of_hex(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    if text.len() != 2 * hash.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(hash)
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
        assert!(tokens("").expect("none").admit(&headers(None)));
    }

    #[test]
    fn what_is_no_hash_is_refused_and_not_told() {
        for wrong in ["secret", &HASHES[..63], &format!("{}g", &HASHES[..63])] {
            let told = tokens(wrong).expect_err("is none").to_string();
            assert!(told.contains("64 hexadecimal digits") && !told.contains(wrong), "{told}");
        }
    }
}
