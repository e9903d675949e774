//! Updating an appliance: which bundle may be put into the other slot, putting it there, and what becomes of it at the
//! next boot. Which partition is written how is systemd-sysupdate's; when, the caller's. Making bundles is the image
//! build's.
//!
//! `decide`, `record` and `tryboot::plan` are pure; what a bundle is stands in a crate of its own.

pub mod apply;
pub mod bundle;
pub mod decide;
pub mod failure;
pub mod kernels;
pub mod place;
pub mod record;
pub mod restart;
pub mod sysupdate;
pub mod trial;
pub mod tryboot;

pub use ::bundle::{contents, release as version, tar};
pub use decide::{Appliance, Leg, Refusal};
pub use failure::Failure;
pub use version::{Profile, Release, Version};
