//! Two systems on one Raspberry Pi 4 or CM4, by the firmware's own `tryboot`. Its U-Boot cannot rename files, so
//! systemd-boot's counting of tries does not work there.
//!
//! ```text
//!  partition 1  FAT   autoboot.txt and an empty config.txt: which of the two next is started
//!  partition 2  FAT   firmware, kernel, initrd, cmdline.txt with the root hash of system A
//!  partition 3  FAT   the same of system B
//!  others             verity and root of A and of B, data: as on every appliance
//! ```
//!
//! The root hash on a boot partition's command line is only as safe as that partition, which nothing signs: who can
//! write to the card can start another system. dm-verity here finds faults and what an update left wrong, not an
//! attacker with a screwdriver; for that the Pi's signed boot (one-time fuses) would have to be used.

mod disk;
mod find;
pub mod plan;

pub use disk::Disk;
pub use find::Pi;
pub use plan::{Commit, Slot};

#[cfg(test)]
mod tests;
