//! Tokens, of which only the hash is kept.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// SHA-256 of a token. A token is random, so nothing slower is needed against those who guess, and whoever reads the hash
/// cannot make the token of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

/// A text that is no hash. It is not told, since it may be a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits, the SHA-256 of a token as sha256sum prints it")]
pub struct NotAHash;

impl Hash {
    /// That of a token.
    pub fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// That of these digits.
    ///
    /// # Errors
    /// If they are none, or not 64.
    pub fn of_hex(text: &str) -> Result<Self, NotAHash> {
        let mut hash = [0; 32];
        if text.len() != 2 * hash.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotAHash);
        }
        for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| NotAHash)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| NotAHash)?;
        }
        Ok(Self(hash))
    }

    /// Whether both are the same, in a time that says nothing about where they differ.
    pub fn same(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A token of random bytes: what it begins with says what it is to those who find it where it should not be.
pub fn token(random: &[u8; 32]) -> String {
    format!("mayfly_{}", BASE64_URL_SAFE_NO_PAD.encode(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `secret`.
    const HEX: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    #[test]
    fn hex_and_back() {
        let hash = Hash::of_hex(HEX).expect("a hash");
        assert_eq!((hash, hash.to_string().as_str()), (Hash::of(b"secret"), HEX));
        assert_eq!(Hash::of_hex(&HEX.to_uppercase()), Ok(hash));
        assert!(hash.same(&Hash::of(b"secret")) && !hash.same(&Hash::of(b"secreT")));
        for wrong in ["", "secret", &HEX[1..], &format!("{}g", &HEX[1..]), &format!("+{}", &HEX[1..])] {
            assert_eq!(Hash::of_hex(wrong), Err(NotAHash), "{wrong}");
        }
    }

    #[test]
    fn tokens_hold_all_that_is_random() {
        assert_eq!(token(&[0; 32]), format!("mayfly_{}", "A".repeat(43)));
        assert_ne!(token(&[1; 32]), token(&[2; 32]));
    }
}
