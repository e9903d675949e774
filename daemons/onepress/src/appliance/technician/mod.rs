//! A technician's way in, without a secret on the box and without a network: the box shows a challenge on its serial
//! line, whoever holds the private half of a key that site.toml names signs it on their own computer, and is root for an
//! hour. Nothing else can log in.
//!
//! ```text
//!          Enter                  signature, in time, of a known key
//!  Closed ───────▶ challenge ───────────────────────────────────────▶ shell for an hour ──▶ Closed
//!    ▲                │ wrong, late, unknown
//!    └──── pause ◀────┘ doubled with each; a challenge is used once, whatever came of it
//! ```
//!
//! The signature is OpenSSH's (PROTOCOL.sshsig), made by `ssh-keygen -Y sign`, with an agent or a token as well. Here is
//! what decides; the serial line and the shell are `commands::technician`'s.

mod challenge;
mod keys;
mod paste;
mod tries;

pub use challenge::{Challenge, NAMESPACE, Refused, VALID};
pub use keys::{Key, Keys};
pub use paste::{Paste, Pasted};
pub use tries::Tries;

use std::time::Duration;

/// How long a technician is root: a visit, not a working day.
pub const VISIT: Duration = Duration::from_secs(3600);
/// Before its end it is said that it comes.
pub const NOTICE: Duration = Duration::from_secs(300);
