//! Button boxes on RS-485 or USB: eight contacts, told as lines of ASCII.
//!
//! One box per wire; it speaks, the appliance listens. 9600 8N1 unless the board file says otherwise.
//!
//! ```text
//! $OPB1,A5,00C3*A733\r\n        20 bytes, 21 ms at 9600 baud
//!  │    │  │    └ CRC-16/MODBUS of everything between $ and *, four hexadecimal digits
//!  │    │  └ level changes of all inputs since power-on, modulo 65536
//!  │    └ levels, bit 0 = input 0, 1 = contact closed
//!  └ protocol and version
//! ```
//!
//! The box sends a frame on every change and at least every 500 ms ([`HEARTBEAT`]).
//! Silence of 2 s ([`SILENCE`]) means unreadable. The count tells lost changes from lost heartbeats:
//! when it grew by more than the levels differ, a press and its release may lie in the gap.
//! Digits are upper case. The same text, with the wiring, stands in `hw/wiring/README.md`.
//!
//! [`Decoder`] and [`Receiver`] are pure; [`Inputs`] is the port part; [`Sender`] is the box's own side,
//! for the demo and tests.

mod frame;
mod inputs;
mod receiver;
mod sender;

pub use frame::{Decoder, FRAME_LEN, Frame};
pub use inputs::Inputs;
pub use receiver::{Receiver, Unreadable};
pub use sender::{Sender, Simulated};

use std::time::Duration;

/// Inputs of one box.
pub const INPUTS: u16 = 8;

/// The longest pause between two frames of a healthy box.
pub const HEARTBEAT: Duration = Duration::from_millis(500);

/// Three lost heartbeats and some: a wire cut must show within 2 s.
pub const SILENCE: Duration = Duration::from_secs(2);
