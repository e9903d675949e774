//! GPIO lines of any board through the kernel's character device (uAPI v2, `/dev/gpiochipN`).
//!
//! Lines are found by name across chips, so that a board file survives a kernel that numbers chips anew.
//! Timestamps, polarity, bias and debouncing are the kernel's. A gap in the kernel's sequence numbers is a missed edge.
//! Source: Linux `Documentation/userspace-api/gpio/chardev.rst`.

mod clock;
mod find;
mod held;
mod inputs;
mod outputs;
mod sequence;
mod spec;

pub use inputs::open_inputs;
pub use outputs::open_outputs;
pub use spec::{Bias, Options, Place, Wanted};

pub(crate) use clock::{instant_of, monotonic_now};
