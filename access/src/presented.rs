//! What a request presents.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// What stands in an `Authorization` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// `Bearer TOKEN`, or `Token TOKEN` as clients of InfluxDB say it.
    Token(Vec<u8>),
    /// `Basic`, with a user and a password, which may be a token: for browsers and clients that know nothing else.
    Basic {
        /// The user.
        user: Vec<u8>,
        /// The password.
        password: Vec<u8>,
    },
}

impl Credentials {
    /// What may be a token.
    pub fn token(&self) -> &[u8] {
        match self {
            Self::Token(token) => token,
            Self::Basic { password, .. } => password,
        }
    }
}

/// What a header says; `None`: nothing that could be known.
pub fn presented(header: &[u8]) -> Option<Credentials> {
    let space = header.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = (&header[..space], header[space + 1..].trim_ascii());
    if scheme.eq_ignore_ascii_case(b"bearer") || scheme.eq_ignore_ascii_case(b"token") {
        return Some(Credentials::Token(rest.to_vec()));
    }
    if scheme.eq_ignore_ascii_case(b"basic") {
        let pair = BASE64_STANDARD.decode(rest).ok()?;
        let colon = pair.iter().position(|byte| *byte == b':')?;
        return Some(Credentials::Basic {
            user: pair[..colon].to_vec(),
            password: pair[colon + 1..].to_vec(),
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let token = |text: &str| Some(Credentials::Token(text.into()));
        let basic = |user: &str, password: &str| {
            Some(Credentials::Basic { user: user.into(), password: password.into() })
        };
        let check = |header: &str, expect: Option<Credentials>| {
            assert_eq!(presented(header.as_bytes()), expect, "{header}");
        };
        check("Bearer secret", token("secret"));
        check("bearer  other ", token("other"));
        check("Token secret", token("secret"));
        check("Bearer ", token(""));
        // any:secret, :other, a:b:c, secret
        check("Basic YW55OnNlY3JldA==", basic("any", "secret"));
        check("basic Om90aGVy", basic("", "other"));
        check("Basic YTpiOmM=", basic("a", "b:c"));
        check("Basic c2VjcmV0", None);
        check("Basic !", None);
        check("secret", None);
        check("Digest secret", None);
        assert_eq!(basic("u", "p").expect("some").token(), b"p");
    }
}
