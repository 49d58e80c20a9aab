//! A key in hardware, reached through PKCS#11 (OASIS, versions 2.40 and 3): it wraps the operator's
//! key and never leaves its token.
//!
//! The operator's key lies in the data folder as the token sealed it (AES-GCM), and is unwrapped
//! once, when the store is opened. Whoever has the folder without the token has nothing.

use crate::Error;
use crate::operator::write;
use crate::seal::Key;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Function, Pkcs11};
use cryptoki::error::{Error as Fault, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use std::path::{Path, PathBuf};

const IV_BYTES: usize = 12;
const TAG_BITS: std::ffi::c_ulong = 128;
/// What is sealed for another purpose does not open here.
const PURPOSE: &[u8] = b"allod operator key";

/// Where a key in hardware is, as a PKCS#11 URI (RFC 7512) says:
/// `pkcs11:token=LABEL;object=KEY?module-path=FILE&pin-source=FILE`.
#[derive(Clone)]
pub struct Token {
    module: PathBuf,
    /// The token's label.
    label: String,
    /// The label of the AES key in it.
    key: String,
    pin: Pin,
}

#[derive(Clone)]
enum Pin {
    Value(String),
    File(PathBuf),
}

// The PIN must stand in no line of a log.
impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Token")
            .field("module", &self.module)
            .field("label", &self.label)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl Token {
    /// Reads a URI.
    ///
    /// # Errors
    /// [`Error::OperatorKey`] when a part is missing, unknown or not well formed.
    pub fn from_uri(uri: &str) -> Result<Token, Error> {
        let wrong = |reason: String| Error::OperatorKey {
            reason: format!(
                "{reason} in the PKCS#11 URI; it must be \
                 pkcs11:token=LABEL;object=KEY?module-path=FILE&pin-source=FILE"
            ),
        };
        let rest = uri.trim().strip_prefix("pkcs11:");
        let rest = rest.ok_or_else(|| wrong("`pkcs11:` is missing".into()))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let [mut module, mut label, mut key] = [None, None, None];
        let mut pin = None;
        let parts = path.split(';').chain(query.split('&')).filter(|part| !part.is_empty());
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = unescaped(value).ok_or_else(|| wrong(format!("`{name}` is no text")))?;
            match name {
                "token" => label = Some(value),
                "object" => key = Some(value),
                "module-path" => module = Some(value),
                "pin-value" => pin = Some(Pin::Value(value)),
                "pin-source" => {
                    let file = value.strip_prefix("file:").unwrap_or(&value);
                    pin = Some(Pin::File(file.into()));
                }
                "type" if value == "secret-key" => {}
                other => return Err(wrong(format!("`{other}` is not known"))),
            }
        }
        let missing = |name: &str| wrong(format!("`{name}` is missing"));
        Ok(Token {
            module: module.ok_or_else(|| missing("module-path"))?.into(),
            label: label.ok_or_else(|| missing("token"))?,
            key: key.ok_or_else(|| missing("object"))?,
            pin: pin.ok_or_else(|| missing("pin-source"))?,
        })
    }

    /// The operator's key, unwrapped; `None` if there is none yet. A key that lies beside it as a
    /// file of an earlier start is wrapped.
    pub(crate) fn read(&self, wrapped: &Path) -> Result<Option<Key>, Error> {
        let text = match std::fs::read_to_string(wrapped) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return self.take_over(wrapped);
            }
            Err(source) => return Err(Error::Folder { path: wrapped.into(), source }),
        };
        let broken =
            || Error::OperatorKey { reason: format!("{} holds no wrapped key", wrapped.display()) };
        let bytes = from_hex(text.trim()).ok_or_else(broken)?;
        let (iv, sealed) = bytes.split_first_chunk::<IV_BYTES>().ok_or_else(broken)?;
        let mut iv = *iv;
        let plain = self.with(|session, key| {
            let parameters = GcmParams::new(&mut iv, PURPOSE, TAG_BITS.into())?;
            session.decrypt(&Mechanism::AesGcm(parameters), key, sealed)
        })?;
        let plain = String::from_utf8(plain).map_err(|_| broken())?;
        Key::from_hex(&plain).map(Some).ok_or_else(broken)
    }

    /// Makes a new operator's key and keeps it wrapped; durable when it returns.
    pub(crate) fn make(&self, wrapped: &Path) -> Result<Key, Error> {
        let key = Key::random()?;
        self.keep(&key, wrapped)?;
        Ok(key)
    }

    fn take_over(&self, wrapped: &Path) -> Result<Option<Key>, Error> {
        let plain = wrapped.with_extension("key");
        if !plain.exists() {
            return Ok(None);
        }
        let key = crate::OperatorKey::File(plain).read()?;
        if let Some(key) = &key {
            self.keep(key, wrapped)?;
        }
        Ok(key)
    }

    fn keep(&self, operator: &Key, wrapped: &Path) -> Result<(), Error> {
        let mut iv = [0; IV_BYTES];
        getrandom::fill(&mut iv).map_err(Error::NoRandomness)?;
        let drawn = iv;
        let sealed = self.with(|session, key| {
            let parameters = GcmParams::new(&mut iv, PURPOSE, TAG_BITS.into())?;
            session.encrypt(&Mechanism::AesGcm(parameters), key, operator.to_hex().as_bytes())
        })?;
        let text: String = drawn.iter().chain(&sealed).map(|byte| format!("{byte:02x}")).collect();
        write(wrapped, &text).map_err(|source| Error::Folder { path: wrapped.into(), source })
    }

    /// Runs work with the key in a session of the token, and leaves the module again.
    fn with<T>(
        &self,
        work: impl FnOnce(&Session, ObjectHandle) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        let told = |what: &str, fault: &Fault| Error::OperatorKey {
            reason: format!("{what} (module {}): {fault}", self.module.display()),
        };
        let pin = self.pin()?;
        let module = Pkcs11::new(&self.module).map_err(|f| told("PKCS#11 does not load", &f))?;
        match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(())
            | Err(Fault::Pkcs11(RvError::CryptokiAlreadyInitialized, Function::Initialize)) => {}
            Err(fault) => return Err(told("PKCS#11 does not begin", &fault)),
        }
        let done = self.in_session(&module, &pin, work);
        // What fails here was done before; the module goes with the process at the latest.
        let _ = module.finalize();
        done.map_err(|fault| told(&format!("the token `{}`", self.label), &fault))?.ok_or_else(
            || Error::OperatorKey {
                reason: format!(
                    "the module {} has no token `{}` with an AES key `{}`",
                    self.module.display(),
                    self.label,
                    self.key
                ),
            },
        )
    }

    /// `None` when there is no such token or key.
    fn in_session<T>(
        &self,
        module: &Pkcs11,
        pin: &AuthPin,
        work: impl FnOnce(&Session, ObjectHandle) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        for slot in module.get_slots_with_initialized_token()? {
            if module.get_token_info(slot)?.label().trim_end() != self.label {
                continue;
            }
            let session = module.open_ro_session(slot)?;
            match session.login(UserType::User, Some(pin)) {
                Ok(()) | Err(Fault::Pkcs11(RvError::UserAlreadyLoggedIn, Function::Login)) => {}
                Err(fault) => return Err(fault),
            }
            let wanted = [
                Attribute::Class(ObjectClass::SECRET_KEY),
                Attribute::KeyType(KeyType::AES),
                Attribute::Label(self.key.clone().into_bytes()),
            ];
            if let Some(key) = session.find_objects(&wanted)?.first() {
                return work(&session, *key).map(Some);
            }
        }
        Ok(None)
    }

    fn pin(&self) -> Result<AuthPin, Error> {
        match &self.pin {
            Pin::Value(pin) => Ok(AuthPin::from(pin.clone())),
            Pin::File(path) => {
                let pin = std::fs::read_to_string(path)
                    .map_err(|source| Error::Folder { path: path.clone(), source })?;
                Ok(AuthPin::from(pin.trim_end_matches(['\r', '\n']).to_owned()))
            }
        }
    }
}

/// A value of a URI without its percents.
fn unescaped(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        bytes.extend(from_hex(std::str::from_utf8(digits).ok()?)?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let [high, low] = pair else { return None };
        Some((digit(*high)? * 16 + digit(*low)?) as u8)
    };
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OperatorKey, PayloadRow, SqliteStore, Store};
    use std::process::Command;

    #[test]
    fn a_uri_names_module_token_key_and_pin() {
        let token = Token::from_uri(
            "pkcs11:token=My%20Token;object=operator?module-path=/lib/x.so&pin-source=file:/pin",
        );
        let token = token.unwrap();
        assert_eq!((token.label.as_str(), token.key.as_str()), ("My Token", "operator"));
        assert!(matches!(&token.pin, Pin::File(path) if path == Path::new("/pin")));
        let shown =
            Token::from_uri("pkcs11:token=a;object=b?module-path=c&pin-value=4711").unwrap();
        assert!(!format!("{shown:?}").contains("4711"));
        for wrong in [
            "token=a",
            "pkcs11:token=a;object=b?module-path=c",
            "pkcs11:token=a;object=b;colour=red?module-path=c&pin-value=1",
            "pkcs11:token=%zz;object=b?module-path=c&pin-value=1",
            "pkcs11:token=%4;object=b?module-path=c&pin-value=1",
        ] {
            assert!(Token::from_uri(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_module_that_is_not_there_is_named() {
        let uri = "pkcs11:token=a;object=b?module-path=/nowhere/x.so&pin-value=1";
        let token = Token::from_uri(uri).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let error = token.make(&folder.path().join("operator.wrapped")).err().unwrap();
        assert!(error.to_string().contains("/nowhere/x.so"), "{error}");
    }

    const MODULES: [&str; 3] = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
    ];

    /// The test in a process of its own: the module reads its configuration from the environment.
    const INSIDE: &str = "ALLOD_TEST_SOFTHSM";

    #[test]
    fn the_operators_key_is_wrapped_by_a_token() {
        let Some(module) = MODULES.into_iter().find(|path| Path::new(path).exists()) else {
            eprintln!("skipped: SoftHSM2 is not installed");
            return;
        };
        if let Some(folder) = std::env::var_os(INSIDE) {
            return inside(module, Path::new(&folder));
        }
        let folder = tempfile::tempdir().unwrap();
        let tokens = folder.path().join("tokens");
        std::fs::create_dir_all(&tokens).unwrap();
        let settings = folder.path().join("softhsm2.conf");
        let text = format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display());
        std::fs::write(&settings, text).unwrap();
        let made = Command::new("softhsm2-util")
            .args(["--init-token", "--free", "--label", "allod", "--pin", "4711"])
            .args(["--so-pin", "4712"])
            .env("SOFTHSM2_CONF", &settings)
            .output();
        let Ok(made) = made else {
            eprintln!("skipped: softhsm2-util is not installed");
            return;
        };
        assert!(made.status.success(), "{made:?}");
        let test = "token::tests::the_operators_key_is_wrapped_by_a_token";
        let own = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env("SOFTHSM2_CONF", &settings)
            .env(INSIDE, folder.path())
            .output()
            .unwrap();
        assert!(own.status.success(), "{}", String::from_utf8_lossy(&own.stderr));
    }

    fn inside(module: &str, folder: &Path) {
        make_key(module);
        let uri = |pin: &str, key: &str| {
            let uri =
                format!("pkcs11:token=allod;object={key}?module-path={module}&pin-value={pin}");
            let wrapped = folder.join("data/keys/operator.wrapped");
            OperatorKey::Token(Token::from_uri(&uri).unwrap(), wrapped)
        };
        let data = folder.join("data");
        let row = PayloadRow {
            commitment: "sha256:1".into(),
            salt_hex: "00".into(),
            kind: "prompt".into(),
            content: "Blumenkohl".into(),
            tenant: "t".into(),
            subject: "s".into(),
            created_at: "2026-11-22T09:00:00Z".into(),
        };
        let store = SqliteStore::open_with(&data, &uri("4711", "operator")).unwrap();
        store.put_payloads(std::slice::from_ref(&row)).unwrap();
        drop(store);
        assert!(!data.join("keys/operator.key").exists(), "nothing lies there in plain");
        let store = SqliteStore::open_with(&data, &uri("4711", "operator")).unwrap();
        assert_eq!(store.payload("sha256:1").unwrap(), Some(row));
        drop(store);
        for (pin, key) in [("0000", "operator"), ("4711", "another")] {
            let error = SqliteStore::open_with(&data, &uri(pin, key)).err().unwrap();
            assert!(matches!(error, Error::OperatorKey { .. }), "{error}");
        }
        assert!(SqliteStore::open(&data).is_err(), "without the token there is no key");
        let wrapped = data.join("keys/operator.wrapped");
        let text = std::fs::read_to_string(&wrapped).unwrap();
        let changed = text.replacen(&text[30..31], if &text[30..31] == "0" { "1" } else { "0" }, 1);
        std::fs::write(&wrapped, changed).unwrap();
        assert!(SqliteStore::open_with(&data, &uri("4711", "operator")).is_err());
        take_over(&uri("4711", "operator"), folder);
    }

    /// A folder whose key was a file goes on with the token.
    fn take_over(operator: &OperatorKey, folder: &Path) {
        let data = folder.join("before");
        drop(SqliteStore::open(&data).unwrap());
        let OperatorKey::Token(token, _) = operator else { unreachable!("it is one") };
        let wrapped = data.join("keys/operator.wrapped");
        let operator = OperatorKey::Token(token.clone(), wrapped);
        let plain = data.join("keys/operator.key");
        let store = SqliteStore::open_with(&data, &operator).unwrap();
        assert_eq!(store.plain_key_left().as_ref(), Some(&plain), "it is said that it is there");
        std::fs::remove_file(plain).unwrap();
        assert_eq!(store.plain_key_left(), None);
        drop(SqliteStore::open_with(&data, &operator).unwrap());
    }

    fn make_key(module: &str) {
        let module = Pkcs11::new(module).unwrap();
        module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
        let slot = module.get_slots_with_initialized_token().unwrap()[0];
        let session = module.open_rw_session(slot).unwrap();
        session.login(UserType::User, Some(&AuthPin::from("4711".to_owned()))).unwrap();
        let template = [
            Attribute::Token(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::ValueLen(32.into()),
            Attribute::Label(b"operator".to_vec()),
        ];
        session.generate_key(&Mechanism::AesKeyGen, &template).unwrap();
        drop(session);
        module.finalize().unwrap();
    }
}
