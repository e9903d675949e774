//! The box's end: obtains the first certificate, keeps one connection per path, opens streams, renews.
//!
//! When to try again is for the caller's loop and [`crate::backoff::Backoff`].

mod connect;
mod enrol;
mod enroller;
mod fetch;
mod race;
mod renew;
mod session;
mod socket;

pub use connect::{ConnectError, Connector, Path};
pub use enrol::{EnrolError, enrol, enrol_with};
pub use enroller::{Enroller, Enrolment, NotEnrolled, NotRenewed, say};
pub use fetch::Body;
pub use race::{CONNECT_LIMIT, RESOLVE_LIMIT, STAGGER};
pub use renew::{RenewError, renew};
pub use session::{OPEN_LIMIT, Rack, Receiver, Sender, Session, Stream};
pub use socket::Bind;
