//! A namespace of our own in which a script may mount, and leave no trace on the machine.

use std::path::Path;
use std::process::Command;

use crate::install;

/// Runs a shell script as root of a new user and mount namespace, with an empty /run and a bare /dev.
/// Returns whether it succeeded and what it printed.
///
/// # Panics
/// If the machine has no `unshare`, or forbids user namespaces.
pub fn run(script: &str, environment: &[(&str, &Path)]) -> (bool, String) {
    let whole = format!("set -eu\n{BARE}\n{script}");
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--map-root-user", "sh", "-c", &whole]);
    unshare.envs(environment.iter().copied());
    install::output(&mut unshare)
}

/// Device nodes cannot be made in a user namespace, but those of the machine can be shown again.
const BARE: &str = "
mount -t tmpfs none /run
mkdir /run/dev
for node in null zero urandom; do
  touch /run/dev/$node
  mount --bind /dev/$node /run/dev/$node
done
mkdir /run/dev/pts
mount -t devpts -o ptmxmode=0666 none /run/dev/pts
ln -s pts/ptmx /run/dev/ptmx
mount --rbind /run/dev /dev
";
