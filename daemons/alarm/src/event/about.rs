//! Who did something, and what a fault concerns.

use crate::{BoxId, CameraId, PathId, PointId, SeatId, UserId};
use serde::{Deserialize, Serialize};

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Actor {
    /// The desk itself, by a rule.
    Desk,
    /// The button at a wall.
    Wall(BoxId),
    /// A person at a seat.
    Seat {
        /// Who.
        user: UserId,
        /// Where.
        seat: SeatId,
    },
}

/// What a fault concerns: all that is known of box, point, path and camera; nothing for the desk itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct About {
    /// The appliance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<BoxId>,
    /// The point of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<PointId>,
    /// The path to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathId>,
    /// The camera of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<CameraId>,
}

impl About {
    /// The desk itself.
    pub fn desk() -> Self {
        Self::default()
    }

    /// An appliance.
    pub fn appliance(name: BoxId) -> Self {
        Self { name: Some(name), ..Self::default() }
    }

    /// A point of an appliance.
    pub fn point(name: BoxId, point: PointId) -> Self {
        Self { name: Some(name), point: Some(point), ..Self::default() }
    }

    /// A path of an appliance.
    pub fn path(name: BoxId, path: PathId) -> Self {
        Self { name: Some(name), path: Some(path), ..Self::default() }
    }

    /// A camera of an appliance.
    pub fn camera(name: BoxId, camera: CameraId) -> Self {
        Self { name: Some(name), camera: Some(camera), ..Self::default() }
    }
}
