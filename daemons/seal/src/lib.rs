//! Private keys at rest: sealed where this machine has a key to seal them with, plain files of mode 0600 where not.
//!
//! ```text
//! TPM, or the machine's own secret ── systemd-creds ──▶ onepress.key (32 bytes) ── AES-256-GCM ──▶ each key file
//! ```
//!
//! `onepress seal` makes and unseals the key at every start (`systemd/onepress-seal.service`); the service manager hands
//! it to the daemons. Here belong: finding it in this process, the form of a sealed file, replacing a file whole. What is
//! in the files, and what to do about one that cannot be opened, is their owners'.
//!
//! A sealed secret is one line: `onepress-sealed-1:` and the base64 of nonce (12 bytes), ciphertext, tag (16 bytes). The
//! name under which it is kept is authenticated with it, so that no file passes for another.

mod file;
mod key;

pub use file::{Unread, read, replace, tell, write};
pub use key::{Locked, Opened, Seal};
