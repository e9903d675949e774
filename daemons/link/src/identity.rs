//! Who a box is: its key, its certificate, the root that it trusts and where its rack is.

use crate::ca;
use crate::cert::{BadCertificate, Leaf, Role};
use crate::state::{self, StateError};
use crate::{Dates, Fingerprint, Name, Validity};
use alarm::Wall;
use base64::prelude::{BASE64_STANDARD, Engine};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use seal::{Opened, Seal};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A box's private key: ECDSA P-256.
#[derive(Clone)]
pub struct Key(Arc<KeyPair>);

impl Key {
    /// Makes a new key.
    pub fn generate() -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256);
        Self(Arc::new(pair.expect("the kernel has randomness once it has booted")))
    }

    /// The key of an enrolment that is under way, kept in `enrol-key.pem`: when the answer to the ticket is lost,
    /// the same key may ask again. One that is sealed and cannot be opened here is lost as well.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn pending(dir: &Path) -> Result<Self, StateError> {
        let path = dir.join(PENDING);
        if let Some(pem) = state::unless_locked(state::read_text(&path))? {
            let pair = KeyPair::from_pem(&pem).map_err(|error| StateError::damaged(&path, error))?;
            return Ok(Self(Arc::new(pair)));
        }
        let key = Self::generate();
        state::write(&path, key.0.serialize_pem().as_bytes())?;
        Ok(key)
    }

    /// SHA-256 of the SubjectPublicKeyInfo: how the register knows the box.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.0.subject_public_key_info())
    }

    /// A PKCS#10 request (RFC 2986, DER) for this key. It asks for no name: the rack knows it.
    pub fn request(&self) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let request = params.serialize_request(&*self.0).expect("a P-256 key signs");
        request.der().to_vec()
    }

    /// PKCS#8, DER.
    pub(crate) fn der(&self) -> PrivatePkcs8KeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.0.serialize_der())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.fingerprint())
    }
}

const PENDING: &str = "enrol-key.pem";
const FILE: &str = "identity.json";
/// Under which name the key in it is sealed.
const KEY: &str = "identity.json#key";

/// An enrolled box.
#[derive(Clone, Debug)]
pub struct Identity {
    key: Key,
    leaf: Leaf,
    chain: Vec<CertificateDer<'static>>,
    racks: Vec<String>,
}

impl Identity {
    /// Puts an identity together from what the rack sent: `chain` is the leaf and the root, which must be `root`.
    ///
    /// # Errors
    /// [`BadCertificate`] when the chain is not the root's, not for this key, or not for this name.
    pub fn new(
        key: Key,
        chain: Vec<CertificateDer<'static>>,
        root: Fingerprint,
        name: &Name,
        racks: Vec<String>,
    ) -> Result<Self, BadCertificate> {
        let identity = Self::assemble(key, chain, racks)?;
        if identity.root_fingerprint() != root {
            return Err(BadCertificate::NotOurs("another root".into()));
        }
        if identity.leaf.name != *name {
            return Err(BadCertificate::WrongName(identity.leaf.name.to_string()));
        }
        Ok(identity)
    }

    fn assemble(
        key: Key,
        chain: Vec<CertificateDer<'static>>,
        racks: Vec<String>,
    ) -> Result<Self, BadCertificate> {
        let [first, root] = chain.as_slice() else {
            return Err(BadCertificate::Unreadable("a chain is the leaf and the root".into()));
        };
        let leaf = Leaf::verify(first, root, Role::Box, Wall::default())?;
        if leaf.key != key.fingerprint() {
            return Err(BadCertificate::WrongKey);
        }
        Ok(Self { key, leaf, chain, racks })
    }

    /// Reads `identity.json` from the directory; `None` when the box is not enrolled yet. A key that lies in it plain is
    /// sealed, where the machine has something to seal it with.
    ///
    /// # Errors
    /// [`StateError`] when it is there and cannot be used; [`StateError::is_locked`] when another machine sealed it.
    pub fn load(dir: &Path) -> Result<Option<Self>, StateError> {
        Self::load_with(dir, Seal::of_this_process())
    }

    fn load_with(dir: &Path, seal: &Seal) -> Result<Option<Self>, StateError> {
        let path = dir.join(FILE);
        let Some(text) = state::read_open(&path)? else { return Ok(None) };
        let stored: Stored =
            serde_json::from_str(&text).map_err(|error| StateError::damaged(&path, error))?;
        let key = seal.open(KEY, stored.key.as_bytes()).map_err(|why| StateError::locked(&path, why))?;
        let plain = matches!(key, Opened::Plain(_));
        let identity = stored.read(key.into_secret()).map_err(|why| StateError::damaged(&path, why))?;
        if plain && seal.is_on() {
            seal::tell(&path, identity.write(&path, seal));
        }
        Ok(Some(identity))
    }

    /// Writes `identity.json`, which the daemon's group may read: the cameras of a box are the same box. Forgets the
    /// key of the enrolment that led to it.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn store(&self, dir: &Path) -> Result<(), StateError> {
        let path = dir.join(FILE);
        self.write(&path, Seal::of_this_process())
            .map_err(|error| StateError::file("write", &path, error))?;
        state::remove(&dir.join(PENDING))
    }

    /// Racks and certificates stay readable: `onepress site` asks the racks for the time before anything is unsealed.
    fn write(&self, path: &Path, seal: &Seal) -> io::Result<()> {
        let key = seal.close(KEY, self.key.0.serialize_pem().as_bytes());
        let stored = Stored {
            racks: self.racks.clone(),
            chain: ca::to_wire(&self.chain),
            key: String::from_utf8_lossy(&key).into_owned(),
        };
        let text = serde_json::to_vec_pretty(&stored).expect("text always fits JSON");
        seal::replace(path, &text, 0o600)?;
        share(path);
        Ok(())
    }

    /// Who the box is.
    pub fn name(&self) -> &Name {
        &self.leaf.name
    }

    /// Addresses of the rack, `host:port`, the preferred one first.
    pub fn racks(&self) -> &[String] {
        &self.racks
    }

    /// The same identity with other addresses, as after the rack has moved.
    pub fn with_racks(self, racks: Vec<String>) -> Self {
        Self { racks, ..self }
    }

    /// The fingerprint of its key.
    pub fn fingerprint(&self) -> Fingerprint {
        self.leaf.key
    }

    /// The fingerprint of the root that it trusts.
    pub fn root_fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.root())
    }

    /// When its certificate is good.
    pub fn validity(&self) -> Validity {
        self.leaf.validity
    }

    /// How its certificate stands at `now`.
    pub fn dates(&self, now: Wall) -> Dates {
        self.leaf.validity.at(now)
    }

    /// Whether it is time to renew: two thirds of the life are over. A clock before the certificate's beginning
    /// is wrong and says nothing.
    pub fn due(&self, now: Wall) -> bool {
        now >= self.due_at()
    }

    /// When that is.
    pub fn due_at(&self) -> Wall {
        self.leaf.validity.from + self.leaf.validity.life().mul_f64(2.0 / 3.0)
    }

    /// How long until it is due; zero when it is.
    pub fn due_in(&self, now: Wall) -> Duration {
        self.due_at().since(now)
    }

    pub(crate) fn root(&self) -> &CertificateDer<'static> {
        &self.chain[1]
    }

    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }
}

/// Without it the cameras say what they cannot read; no alarm waits for that.
fn share(path: &Path) {
    if let Err(error) = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o640)) {
        tracing::warn!(path = %path.display(), %error, "the identity cannot be shared with the other daemons");
    }
}

/// The file. Fields that a newer version adds are ignored. The key is PEM, or that sealed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Stored {
    racks: Vec<String>,
    chain: Vec<String>,
    key: String,
}

impl Stored {
    fn read(self, key: Vec<u8>) -> Result<Identity, String> {
        let key = String::from_utf8(key).map_err(|error| error.to_string())?;
        let pair = KeyPair::from_pem(&key).map_err(|error| error.to_string())?;
        let chain = chain_from_base64(&self.chain).ok_or("the chain is not base64")?;
        Identity::assemble(Key(Arc::new(pair)), chain, self.racks).map_err(|error| error.to_string())
    }
}

/// Reads a chain as it travels; `None` when it is not base64.
pub(crate) fn chain_from_base64(chain: &[String]) -> Option<Vec<CertificateDer<'static>>> {
    chain.iter().map(|text| BASE64_STANDARD.decode(text).ok().map(CertificateDer::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ca::{Ca, Request};
    use std::fs;

    const NOW: Wall = Wall::from_millis(1_800_000_000_000);

    fn gate() -> Name {
        "urn:onepress:box:school-1/gate".parse().unwrap()
    }

    struct Issued {
        ca: Ca,
        key: Key,
        chain: Vec<CertificateDer<'static>>,
    }

    fn issued() -> Issued {
        let ca = Ca::create("test", NOW).unwrap();
        let key = Key::generate();
        let chain = ca.issue_box(&Request::from_der(&key.request()).unwrap(), &gate(), NOW).unwrap();
        Issued { ca, key, chain }
    }

    #[test]
    fn an_identity_reads_back() {
        let Issued { ca, key, chain } = issued();
        let dir = tempfile::tempdir().unwrap();
        assert!(Identity::load(dir.path()).unwrap().is_none());
        let racks = vec!["10.0.0.1:4110".to_owned()];
        let identity = Identity::new(key, chain, ca.fingerprint(), &gate(), racks.clone()).unwrap();
        identity.store(dir.path()).unwrap();
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640, "the cameras of the box read it");
        let read = Identity::load(dir.path()).unwrap().unwrap();
        assert_eq!((read.name(), read.racks()), (&gate(), &racks[..]));
        assert_eq!(read.fingerprint(), identity.fingerprint());
        assert_eq!(read.root_fingerprint(), ca.fingerprint());
    }

    #[test]
    fn a_key_that_lay_plain_is_sealed_and_opens_on_this_machine_only() {
        let Issued { ca, key, chain } = issued();
        let dir = tempfile::tempdir().unwrap();
        let racks = vec!["10.0.0.1:4110".to_owned()];
        let identity = Identity::new(key, chain, ca.fingerprint(), &gate(), racks).unwrap();
        let path = dir.path().join(FILE);
        identity.write(&path, &Seal::none()).unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("PRIVATE KEY"));

        let here = Seal::with_key(&[7; 32]);
        for _ in 0..2 {
            let read = Identity::load_with(dir.path(), &here).unwrap().unwrap();
            assert_eq!(read.fingerprint(), identity.fingerprint());
            let text = fs::read_to_string(&path).unwrap();
            assert!(!text.contains("PRIVATE") && text.contains("10.0.0.1:4110"), "{text}");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        }
        for elsewhere in [Seal::with_key(&[8; 32]), Seal::none()] {
            let error = Identity::load_with(dir.path(), &elsewhere).unwrap_err();
            assert!(error.is_locked(), "{error}");
            let told = error.to_string();
            assert!(told.contains(FILE) && told.contains("new ticket"), "{told}");
        }
    }

    #[test]
    fn what_the_rack_sends_must_fit() {
        let Issued { ca, key, chain } = issued();
        let root = ca.fingerprint();
        let other = issued();
        let new = |key: &Key, chain: &[CertificateDer<'static>], root, name: &Name| {
            Identity::new(key.clone(), chain.to_vec(), root, name, Vec::new()).unwrap_err()
        };
        let wall = "urn:onepress:wall/gate".parse().unwrap();
        assert!(matches!(new(&key, &chain, other.ca.fingerprint(), &gate()), BadCertificate::NotOurs(_)));
        assert!(matches!(new(&key, &chain, root, &wall), BadCertificate::WrongName(_)));
        assert_eq!(new(&other.key, &chain, root, &gate()), BadCertificate::WrongKey);
        let crossed = [chain[0].clone(), other.chain[1].clone()];
        assert!(matches!(new(&key, &crossed, root, &gate()), BadCertificate::NotOurs(_)));
        assert!(matches!(new(&key, &chain[..1], root, &gate()), BadCertificate::Unreadable(_)));
    }

    #[test]
    fn a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "{}").unwrap();
        assert!(Identity::load(dir.path()).unwrap_err().to_string().contains(FILE));
        std::fs::write(dir.path().join(PENDING), "?").unwrap();
        assert!(Key::pending(dir.path()).unwrap_err().to_string().contains(PENDING));
    }
}
