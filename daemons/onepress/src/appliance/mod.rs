//! What makes a computer an appliance: the site's file, and the installation from a stick. Only images of ours run it.

pub mod choose;
pub mod copy;
pub mod install;
pub mod lamp;
pub mod site;
pub mod technician;
