use super::keys::{Key, Keys};
use ring::signature::{ED25519, UnparsedPublicKey};
use ssh_key::{Algorithm, LineEnding, SshSig};
use std::fmt;
use std::time::{Duration, Instant};

/// What a signature is for (`ssh-keygen -Y sign -n`): one made for anything else opens nothing here.
pub const NAMESPACE: &str = "onepress-technician";
/// How long a challenge may be answered: the way to another computer and back.
pub const VALID: Duration = Duration::from_secs(300);
/// Of the form of signatures (PROTOCOL.sshsig); it is not signed itself.
const VERSION: u32 = 1;
/// Unguessable, and never the same twice.
const NONCE: usize = 24;

/// What has to be signed, once.
#[derive(Clone, Debug)]
pub struct Challenge {
    text: String,
    until: Instant,
}

/// Why nobody came in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not what `ssh-keygen -Y sign` prints.
    #[error("this is no signature ({0}): paste all lines, from -----BEGIN to -----END")]
    Unreadable(String),
    /// Signed for something else.
    #[error("this was signed for {0:?}: sign with -n {NAMESPACE}")]
    Purpose(String),
    /// The key is not in the list.
    #[error("this key is not in site.toml: {0}")]
    Unknown(String),
    /// Another challenge, or a changed signature.
    #[error("this is no signature of this challenge: sign the line that is shown, as it is shown")]
    Wrong,
    /// The answer took too long.
    #[error("too late: a challenge is good for five minutes")]
    Late,
}

impl Challenge {
    /// One for this box and this start of it. `random` is never used again; `unix_s` is the box's clock, for whoever reads
    /// it: what counts is `now`.
    pub fn new(name: &str, boot: &str, random: [u8; NONCE], unix_s: u64, now: Instant) -> Self {
        // Letters, digits and hyphens only: it is pasted between quotes into a shell.
        let plain = |text: &str| -> String {
            text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect()
        };
        let nonce: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let until = unix_s + VALID.as_secs();
        let text = format!("{NAMESPACE}/1/{}/{}/{nonce}/{until}", plain(name), plain(boot));
        Self { text, until: now + VALID }
    }

    /// When it is no longer answered.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// Who signed it. Consumes it: another try needs another one.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn judge<'a>(self, signature: &str, keys: &'a Keys, now: Instant) -> Result<&'a Key, Refused> {
        if now >= self.until {
            return Err(Refused::Late);
        }
        let signed = read(signature)?;
        if signed.namespace() != NAMESPACE {
            return Err(Refused::Purpose(signed.namespace().to_owned()));
        }
        let known = keys.find(signed.public_key());
        let key = known.ok_or_else(|| {
            Refused::Unknown(signed.public_key().fingerprint(Default::default()).to_string())
        })?;
        // As it is shown, or with the line's end that `echo` puts behind it.
        let lines = [self.text.clone(), format!("{}\n", self.text)];
        if lines.iter().any(|line| is_signed(&signed, key, line.as_bytes())) {
            Ok(key)
        } else {
            Err(Refused::Wrong)
        }
    }
}

/// What is read is what was pasted: the reader of the form overlooks a length that is wrong.
fn read(signature: &str) -> Result<SshSig, Refused> {
    let unreadable = |why: ssh_key::Error| Refused::Unreadable(why.to_string());
    let signed = SshSig::from_pem(signature).map_err(unreadable)?;
    let again = signed.to_pem(LineEnding::LF).map_err(unreadable)?;
    if signed.version() != VERSION || !again.split_whitespace().eq(signature.split_whitespace()) {
        return Err(Refused::Unreadable("another form than version 1".into()));
    }
    Ok(signed)
}

fn is_signed(signed: &SshSig, key: &Key, message: &[u8]) -> bool {
    let Ok(data) = SshSig::signed_data(NAMESPACE, signed.hash_alg(), message) else { return false };
    signed.algorithm() == Algorithm::Ed25519
        && signed.reserved().is_empty()
        && UnparsedPublicKey::new(&ED25519, key.bytes()).verify(&data, signed.signature_bytes()).is_ok()
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::process::{Command, Stdio};

    /// Somebody with a key, who signs with OpenSSH's own program.
    struct Signer(tempfile::TempDir);

    impl Signer {
        fn new(kind: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("key");
            let made = Command::new("ssh-keygen")
                .args(["-q", "-N", "", "-C", "li", "-t", kind, "-f"])
                .arg(file)
                .status();
            assert!(made.unwrap().success());
            Self(dir)
        }

        fn public(&self) -> String {
            std::fs::read_to_string(self.0.path().join("key.pub")).unwrap().trim().to_owned()
        }

        fn sign(&self, purpose: &str, hash: &str, text: &str) -> String {
            let file = self.0.path().join("key");
            sign(&file, purpose, hash, text)
        }
    }

    fn sign(key: &Path, purpose: &str, hash: &str, text: &str) -> String {
        use std::io::Write;
        let mut command = Command::new("ssh-keygen");
        command.args(["-Y", "sign", "-n", purpose, "-O", hash, "-f"]).arg(key);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    }

    fn challenge(now: Instant) -> Challenge {
        Challenge::new("school-1", "0a1b", [7; NONCE], 1_800_000_000, now)
    }

    #[test]
    fn a_challenge_names_the_box_its_start_and_its_end() {
        let text = challenge(Instant::now()).to_string();
        assert_eq!(text, format!("onepress-technician/1/school-1/0a1b/{}/1800000300", "07".repeat(NONCE)));
        let odd = Challenge::new("a'; rm -rf /", "b\n", [0; NONCE], 0, Instant::now()).to_string();
        assert!(odd.starts_with("onepress-technician/1/arm-rf/b/00"), "{odd}");
    }

    #[test]
    fn a_signature_of_a_known_key_opens() {
        let (li, now) = (Signer::new("ed25519"), Instant::now());
        let keys = Keys::parse([li.public().as_str()]).unwrap();
        let text = challenge(now).to_string();
        for hash in ["hashalg=sha512", "hashalg=sha256"] {
            for signed in [text.clone(), format!("{text}\n")] {
                let signature = li.sign(NAMESPACE, hash, &signed);
                assert_eq!(challenge(now).judge(&signature, &keys, now).unwrap().name(), "li");
                assert_eq!(
                    challenge(now).judge(&signature.replace('\n', "\r\n"), &keys, now).unwrap().name(),
                    "li"
                );
            }
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        let (li, wang, old) = (Signer::new("ed25519"), Signer::new("ed25519"), Signer::new("rsa"));
        let now = Instant::now();
        let keys = Keys::parse([li.public().as_str()]).unwrap();
        let text = challenge(now).to_string();
        let sign = |who: &Signer, purpose: &str, text: &str| who.sign(purpose, "hashalg=sha512", text);
        let good = sign(&li, NAMESPACE, &text);
        let refused = |signature: &str, at| challenge(now).judge(signature, &keys, at).unwrap_err();

        assert_eq!(refused(&good, now + VALID), Refused::Late);
        assert_eq!(refused(&sign(&li, "file", &text), now), Refused::Purpose("file".into()));
        assert!(matches!(refused(&sign(&wang, NAMESPACE, &text), now), Refused::Unknown(_)));
        assert!(matches!(refused(&sign(&old, NAMESPACE, &text), now), Refused::Unknown(_)));
        assert_eq!(
            refused(&sign(&li, NAMESPACE, &text.replace("school-1", "school-2")), now),
            Refused::Wrong
        );
        assert_eq!(refused(&sign(&li, NAMESPACE, &format!("{text} ")), now), Refused::Wrong);
        for no in ["", "root", &good[1..], &good[..good.len() / 2], &good.replace("SIGNATURE", "PUBLIC KEY")]
        {
            assert!(matches!(refused(no, now), Refused::Unreadable(_)), "{no}");
        }
    }

    #[test]
    fn no_changed_letter_of_a_signature_opens() {
        let (li, now) = (Signer::new("ed25519"), Instant::now());
        let keys = Keys::parse([li.public().as_str()]).unwrap();
        let good = li.sign(NAMESPACE, "hashalg=sha512", &challenge(now).to_string());
        let body = good.find('\n').unwrap()..good.rfind("\n-----END").unwrap();
        for at in body.filter(|at| good.as_bytes()[*at] != b'\n') {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(challenge(now).judge(&changed, &keys, now).is_err(), "{at}");
        }
    }
}
