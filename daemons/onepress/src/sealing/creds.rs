//! systemd-creds(1): it talks to the TPM, and keeps a secret of the machine's own.

use anyhow::{Context, ensure};
use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The credential's name, which is authenticated with it.
const NAME: &str = "--name=onepress.key";
/// To no state of the firmware: an update of it changes these, and would lock the box at the next start.
const PCRS: &str = "--tpm2-pcrs=";

/// What a credential is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum With {
    /// The TPM and the machine's own secret.
    Tpm,
    /// `/var/lib/systemd/credential.secret` alone: what it protects from is that a copy of single files is worth anything.
    Host,
}

impl With {
    /// As systemd-creds calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tpm => "host+tpm2",
            Self::Host => "host",
        }
    }
}

impl fmt::Display for With {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tpm => "the TPM and this disk",
            Self::Host => "this disk (there is no TPM)",
        })
    }
}

/// What seals and unseals.
pub trait Vault {
    /// There is a TPM 2.0.
    fn has_tpm(&self) -> bool;
    /// The credential of a secret.
    ///
    /// # Errors
    /// Why not.
    fn seal(&self, with: With, secret: &[u8]) -> anyhow::Result<Vec<u8>>;
    /// The secret of a credential.
    ///
    /// # Errors
    /// Why not.
    fn unseal(&self, credential: &Path) -> anyhow::Result<Vec<u8>>;
}

/// systemd-creds of this machine.
pub struct SystemdCreds {
    /// Where the kernel shows its TPM, `/sys/class/tpm/tpm0`.
    pub tpm: PathBuf,
}

impl Vault for SystemdCreds {
    fn has_tpm(&self) -> bool {
        fs::read_to_string(self.tpm.join("tpm_version_major")).is_ok_and(|version| version.trim() == "2")
    }

    fn seal(&self, with: With, secret: &[u8]) -> anyhow::Result<Vec<u8>> {
        let with = format!("--with-key={}", with.word());
        run(&["encrypt", &with, PCRS, NAME, "-", "-"], secret)
    }

    fn unseal(&self, credential: &Path) -> anyhow::Result<Vec<u8>> {
        let path = credential.display().to_string();
        run(&["decrypt", NAME, &path, "-"], &[])
    }
}

/// The secret goes through pipes: it is on no disk, and on no command line.
fn run(arguments: &[&str], input: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut command = Command::new("systemd-creds");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("starting systemd-creds")?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends at once says why on its standard error.
        let _ = stdin.write_all(input);
    }
    let done = child.wait_with_output().context("waiting for systemd-creds")?;
    let said = String::from_utf8_lossy(&done.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("without a word");
    ensure!(done.status.success(), "systemd-creds {} failed: {last}", arguments[0]);
    Ok(done.stdout)
}
