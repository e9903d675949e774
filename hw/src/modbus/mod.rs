//! Modbus RTU: relay boards and contact modules on RS-485.
//!
//! Source: Modbus Application Protocol V1.1b3 (functions) and Modbus over Serial Line V1.02 (framing, timing).
//!
//! ```text
//!  Relays, Contacts   the traits over one unit
//!        │
//!       Bus           one port, shared by the units on it; retries          (shell)
//!        │
//!     Master          one request at a time; bytes and time in, actions out (pure)
//!        │
//!   pdu, frame        functions 01, 02, 05, 0F; CRC; silence                (pure)
//!        │
//!      Slave          the board's own side, for the demo and tests          (pure)
//! ```

mod bus;
mod contacts;
mod frame;
mod master;
mod pdu;
mod relays;
mod simulated;
mod slave;

pub use bus::Bus;
pub use contacts::Contacts;
pub use frame::{ADU_MAX, BROADCAST, Timing};
pub use master::{Busy, Master, Outcome};
pub use pdu::{BITS_MAX, Exception, Request, Response};
pub use relays::Relays;
pub use simulated::Simulated;
pub use slave::Slave;
