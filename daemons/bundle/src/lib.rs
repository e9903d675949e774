//! What a signed update is: one tar archive, the list that is signed, the names in it, and which image of which version
//! they make. The centre looks at a bundle with it before it offers it, and the box before it puts it on.
//!
//! Putting it on, and whether this box may have it, belong to `onepress`; who gets it when, to `alarm::rollout`.

pub mod contents;
pub mod look;
pub mod made;
pub mod release;
pub mod signed;
pub mod tar;

pub use contents::{Contents, NoUpdate};
pub use release::{Profile, Release};
pub use signed::Sums;
