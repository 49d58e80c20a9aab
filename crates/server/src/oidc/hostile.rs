//! Keys and tokens of somebody who lies: for fuzzing.

use allod_policy::{KeySource, Oidc};

use super::keys::Keys;
use super::person::Person;
use super::token::Token;

/// A set of keys with one that signed [`TOKEN`].
pub const KEYS: &str = include_str!("hostile/keys.json");
/// A sound token.
pub const TOKEN: &str = include_str!("hostile/token.txt");
/// When it holds.
const NOW: i64 = 1_800_000_000;

/// Whether a token is taken, by an issuer with these keys.
#[must_use]
pub fn take(keys: &[u8], token: &str) -> bool {
    let oidc = Oidc {
        sign_in: None,
        issuer: "https://issuer.example".into(),
        audience: "allod".into(),
        keys: KeySource::Discovery,
        tenant_claim: Some("office".into()),
        role_claim: Some("realm_access.roles".into()),
        roles: vec![("staff".into(), allod_policy::Role::User)],
        labels_claim: Some("clearance".into()),
    };
    let (Ok(keys), Ok(token)) = (Keys::read(keys), Token::parse(token)) else { return false };
    let known = keys.knows(token.algorithm, token.key.as_deref());
    let claims = token.check(&keys, (&oidc.issuer, &oidc.audience), NOW);
    let taken = claims.is_ok_and(|claims| Person::of(&oidc, &claims).is_ok());
    assert!(known || !taken, "a token without a key is taken");
    taken
}

/// Whether what a token says is what the sound one says.
#[must_use]
pub fn is_seed(token: &str) -> bool {
    let said = |token: &str| token.rsplit_once('.').map(|(said, _)| said.to_owned());
    said(token) == said(TOKEN.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            (mixed ^ mixed >> 31) as usize % bound.max(1)
        }
    }

    const PARTS: [&str; 12] = [
        ".",
        "..",
        "{}",
        "null",
        "\"alg\":\"none\"",
        "\"kid\":\"\"",
        "[[[[[[",
        "e30",
        "\u{0}",
        "\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AA\"",
        "1e999",
        "ey",
    ];

    fn changed(text: &str, random: &mut Random) -> Vec<u8> {
        let mut bytes = text.trim_end().as_bytes().to_vec();
        for _ in 0..random.below(4) {
            let at = random.below(bytes.len());
            match random.below(5) {
                0 if !bytes.is_empty() => bytes[at] = random.below(256) as u8,
                1 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
                2 => bytes.truncate(at),
                3 => drop(bytes.splice(at..at, PARTS[random.below(12)].bytes())),
                _ => drop(bytes.splice(at..(at + random.below(9)).min(bytes.len()), [])),
            }
        }
        bytes
    }

    /// 200,000 were run by hand with `ALLOD_HOSTILE_INPUTS=200000`.
    #[test]
    fn no_token_is_taken_that_was_not_signed() {
        assert!(take(KEYS.as_bytes(), TOKEN.trim_end()), "the sound one is taken");
        let count = std::env::var("ALLOD_HOSTILE_INPUTS").ok().and_then(|text| text.parse().ok());
        let (mut random, mut taken) = (Random(1), 0);
        for _ in 0..count.unwrap_or(5_000) {
            let keys = changed(KEYS, &mut random);
            let token = changed(TOKEN, &mut random);
            let token = String::from_utf8_lossy(&token);
            if take(&keys, &token) {
                assert!(is_seed(&token), "{token}");
                taken += 1;
            }
        }
        assert!(taken > 0, "some are left as they were");
    }
}
