use alarm::wire::{PATHS_MAX, Purpose, Refusal, ToRack, VERSION};
use alarm::{PathId, Wall};

/// Letters kept of a box's software version: it is shown in a table.
pub const SOFTWARE_MAX: usize = 64;

/// What a box says at the beginning of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// What the stream is for.
    pub purpose: Purpose,
    /// The path that this connection runs over.
    pub path: PathId,
    /// Every path that the box is set up for, at most [`PATHS_MAX`].
    pub paths: Vec<PathId>,
    /// The box's clock.
    pub now: Wall,
    /// Version of its software, at most [`SOFTWARE_MAX`] letters of it.
    pub software: String,
}

impl Hello {
    /// Checks the first message of a stream.
    pub(super) fn read(first: Option<ToRack>) -> Result<Self, Refusal> {
        match first {
            Some(ToRack::Hello { version, .. }) if version != VERSION => Err(Refusal::UnknownVersion),
            Some(ToRack::Hello { paths, .. }) if paths.len() > PATHS_MAX => Err(Refusal::BadFrame),
            Some(ToRack::Hello { purpose, path, paths, now, software, .. }) => {
                let software = software.chars().take(SOFTWARE_MAX).collect();
                Ok(Self { purpose, path, paths, now, software })
            }
            Some(_) | None => Err(Refusal::NoHello),
        }
    }

    /// Whether a box whose certificate has expired may open this stream.
    pub(super) fn open_when_expired(&self) -> bool {
        match self.purpose {
            Purpose::Alarm | Purpose::Renew => true,
            Purpose::Status | Purpose::Wall | Purpose::Relay | Purpose::Update => false,
        }
    }
}
