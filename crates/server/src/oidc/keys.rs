//! The keys of an issuer (JWKS, RFC 7517) and the signatures that they check.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

/// An issuer has a few keys; each is tried where a token does not name one.
const KEYS_MAX: usize = 100;

/// How a token is signed. What is not listed is not known: neither `none` nor a shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// RSA of 2048 to 8192 bits, PKCS #1 v1.5, SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    pub(super) fn known(name: &str) -> Option<Algorithm> {
        match name {
            "RS256" => Some(Algorithm::Rs256),
            "ES256" => Some(Algorithm::Es256),
            "EdDSA" | "Ed25519" => Some(Algorithm::EdDsa),
            _ => None,
        }
    }
}

/// The keys of an issuer that tokens can be checked with, at least one.
#[derive(Debug)]
pub(super) struct Keys(Vec<Key>);

/// A key serves one algorithm, whatever a token says of itself.
#[derive(Debug)]
struct Key {
    id: Option<String>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point.
    P256([u8; 65]),
    Ed25519([u8; 32]),
}

#[derive(Deserialize)]
struct Listed {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Entry {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// Reads a key set. Keys of other kinds and for other uses are passed over.
    pub(super) fn read(json: &[u8]) -> Result<Keys, String> {
        let listed: Listed = serde_json::from_slice(json)
            .map_err(|_| "it is no key set: JSON with a list `keys` is expected".to_owned())?;
        let entries = listed.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        let keys: Vec<Key> = entries.filter_map(Key::of).take(KEYS_MAX).collect();
        match keys.is_empty() {
            true => Err("it holds no key for signatures with RS256, ES256 or EdDSA".into()),
            false => Ok(Keys(keys)),
        }
    }

    /// The keys that a token may be signed with: the one that it names, or all of its algorithm.
    fn candidates<'a>(
        &'a self,
        algorithm: Algorithm,
        id: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Key> {
        let fits = move |key: &&Key| key.material.algorithm() == algorithm;
        let named = move |key: &&Key| id.is_none_or(|id| key.id.as_deref() == Some(id));
        self.0.iter().filter(fits).filter(named)
    }

    /// Whether there is a key that a token may be signed with.
    pub(super) fn knows(&self, algorithm: Algorithm, id: Option<&str>) -> bool {
        self.candidates(algorithm, id).next().is_some()
    }

    /// Whether one of the keys made the signature.
    pub(super) fn verify(
        &self,
        (algorithm, id): (Algorithm, Option<&str>),
        signed: &[u8],
        signature: &[u8],
    ) -> bool {
        self.candidates(algorithm, id).any(|key| key.material.verify(signed, signature))
    }
}

impl Key {
    fn of(entry: Entry) -> Option<Key> {
        let for_signatures = entry.usage.as_deref().is_none_or(|usage| usage == "sig");
        let verifies = |ops: &Vec<String>| ops.iter().any(|op| op == "verify");
        if !for_signatures || !entry.key_ops.as_ref().is_none_or(verifies) {
            return None;
        }
        let material = Material::of(&entry)?;
        let own = Some(material.algorithm());
        let says_so = entry.alg.as_deref().is_none_or(|alg| Algorithm::known(alg) == own);
        says_so.then_some(Key { id: entry.kid, material })
    }
}

impl Material {
    fn of(entry: &Entry) -> Option<Material> {
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        match (entry.kty.as_str(), entry.crv.as_deref()) {
            ("RSA", _) => {
                let bare = |bytes: Vec<u8>| bytes.into_iter().skip_while(|byte| *byte == 0);
                let (n, e) = (bytes(&entry.n)?, bytes(&entry.e)?);
                Some(Material::Rsa { n: bare(n).collect(), e: bare(e).collect() })
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes(&entry.x)?, bytes(&entry.y)?);
                let whole = [&[4], x.as_slice(), y.as_slice()].concat();
                (x.len() == 32).then(|| whole.try_into().ok()).flatten().map(Material::P256)
            }
            ("OKP", Some("Ed25519")) => bytes(&entry.x)?.try_into().ok().map(Material::Ed25519),
            _ => None,
        }
    }

    fn algorithm(&self) -> Algorithm {
        match self {
            Material::Rsa { .. } => Algorithm::Rs256,
            Material::P256(_) => Algorithm::Es256,
            Material::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    fn verify(&self, signed: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            Material::Rsa { n, e } => RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                signed,
                signature,
            ),
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
            }
            Material::Ed25519(key) => {
                UnparsedPublicKey::new(&ED25519, key).verify(signed, signature)
            }
        };
        verified.is_ok()
    }
}
