//! The key of this machine, with which its daemons' private keys are sealed (crate `seal`): made once, kept as an
//! encrypted credential of systemd's, unsealed at every start.
//!
//! ```text
//!            made at the first start                        at every start
//!  random ─────────────────────────▶ key.host+tpm2 ─────────────────────────▶ /run/credstore/onepress.key ──▶ daemons
//!                                    (key.host without a TPM)
//! ```
//!
//! A key that cannot be unsealed is left where it is: the TPM may come back with the next start or the version before.

mod creds;
mod kept;
mod recovery;

pub use creds::{SystemdCreds, Vault, With};
pub use kept::{Kept, LENGTH, Lost, Unlocked};
pub use recovery::{BadRecovery, from_text, to_text};
