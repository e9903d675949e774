//! The link between a box and its rack: identity, enrolment, mutual TLS, one QUIC connection per path, one stream
//! per purpose.
//!
//! What passes over it (frames, messages, limits, the ticket) belongs to `alarm`; what it means (the register, the
//! queue, which ticket is good) belongs to the daemons. Nothing here names systemd or keeps a configuration; files
//! are touched only to keep key material in a state directory that the caller names.
//!
//! | module | for | what |
//! |---|---|---|
//! | [`ca`] | rack | the site CA: certificates for boxes and for the rack itself |
//! | [`rack`] | rack | [`rack::Listener`], sessions, streams, enrolment sessions |
//! | [`identity`] | box | key, certificate chain, root, rack addresses, own name |
//! | [`client`] | box | enrolment, [`client::Connector`], sessions, renewal |
//! | [`backoff`] | box | when to try again |
//! | [`media`] | both | TLS for the media plane |
//! | [`pass`] | rack | what a person shows at the relay's door |
//! | [`Keys`] | both | what makes a restarted endpoint answer old connections with a reset |

pub mod backoff;
pub mod ca;
mod cert;
pub mod client;
mod clock;
mod closed;
mod fingerprint;
mod frames;
pub mod identity;
mod keys;
pub mod media;
mod name;
pub mod pass;
pub mod proof;
pub mod rack;
mod state;
mod tls;
mod transport;

pub use cert::{BadCertificate, Dates, Validity};
pub use clock::Clock;
pub use closed::{Class, Closed, Handle, Reason};
pub use fingerprint::{BadFingerprint, Fingerprint};
pub use frames::StreamError;
pub use keys::Keys;
pub use name::{BadName, Name};
pub use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
pub use state::StateError;
pub use tls::TlsError;
