//! Whether a new box is in service: its points, outputs, paths and cameras have each been seen to work once. What is
//! missing is named, so that a technician need not look for it. A fold keeps only that it was commissioned, when and
//! by whom; what fails later is a fault.

use crate::event::Actor;
use crate::selftest::{Failure, Record};
use crate::{CameraId, PathId, PointId, Wall};
use serde::{Deserialize, Serialize};

/// A box was found in order, or a technician took it as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Commissioned {
    /// When.
    pub at: Wall,
    /// By whom; [`Actor::Desk`] when nothing was missing.
    pub by: Actor,
}

/// What stands between a box and its service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "missing", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Missing {
    /// No self-test has been told in full.
    SelfTest,
    /// A point is not proved.
    Point {
        /// Which.
        point: PointId,
        /// Why.
        why: Failure,
    },
    /// A path that the box is set up for has not been seen.
    Path {
        /// Which.
        path: PathId,
    },
    /// A camera has shown no picture.
    Camera {
        /// Which.
        camera: CameraId,
    },
    /// An output does not do what it is told.
    Output,
    /// The box runs another version than the centre.
    Software {
        /// The box's; empty when it has not said.
        is: String,
    },
}

/// What is known of a box now.
#[derive(Clone, Debug, Default)]
pub struct Facts<'a> {
    /// Its self-tests.
    pub record: Option<&'a Record>,
    /// Its paths, and whether each has been seen.
    pub paths: Vec<(PathId, bool)>,
    /// Its cameras, and whether each has shown a picture.
    pub cameras: Vec<(CameraId, bool)>,
    /// An output fails.
    pub output_fails: bool,
    /// Version of its software.
    pub software: Option<&'a str>,
    /// Version of the centre's.
    pub centre: &'a str,
}

impl Facts<'_> {
    /// All that is missing, in the order in which a technician goes about it.
    pub fn missing(&self) -> Vec<Missing> {
        let paths = self.paths.iter().filter(|(_, seen)| !seen);
        let cameras = self.cameras.iter().filter(|(_, shown)| !shown);
        let is = self.software.unwrap_or_default();
        let software = (is != self.centre).then(|| Missing::Software { is: is.to_owned() });
        paths
            .map(|(path, _)| Missing::Path { path: path.clone() })
            .chain(self.points())
            .chain(self.output_fails.then_some(Missing::Output))
            .chain(cameras.map(|(camera, _)| Missing::Camera { camera: camera.clone() }))
            .chain(software)
            .collect()
    }

    fn points(&self) -> Vec<Missing> {
        let Some(record) = self.record.filter(|record| record.is_whole()) else {
            return vec![Missing::SelfTest];
        };
        let failed = record.points.iter().filter_map(|(point, known)| {
            Some(Missing::Point { point: point.clone(), why: known.failed.clone()? })
        });
        failed.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selftest::{Cause, How, Proof, Report};

    fn record(failed: Option<Failure>, parts: u32) -> Record {
        let mut record = Record::new(Wall::default());
        let proof = Proof { point: PointId::new("gate").unwrap(), how: How::Kernel, ms: 5, failed };
        let report = Report { cause: Cause::Started, run: 1, part: 1, parts, proofs: vec![proof] };
        record.take(&report, Wall::default());
        record
    }

    fn facts(record: &Record) -> Facts<'_> {
        Facts {
            record: Some(record),
            paths: vec![(PathId::new("wired").unwrap(), true)],
            cameras: vec![(CameraId::new("hall").unwrap(), true)],
            output_fails: false,
            software: Some("2"),
            centre: "2",
        }
    }

    #[test]
    fn each_thing_that_is_missing_is_named() {
        let (whole, part, deaf) = (record(None, 1), record(None, 2), record(Some(Failure::Deaf), 1));
        let (path, camera) = (PathId::new("cellular").unwrap(), CameraId::new("yard").unwrap());
        let point = PointId::new("gate").unwrap();
        let table = [
            (facts(&whole), vec![]),
            (facts(&part), vec![Missing::SelfTest]),
            (Facts { record: None, ..facts(&whole) }, vec![Missing::SelfTest]),
            (facts(&deaf), vec![Missing::Point { point, why: Failure::Deaf }]),
            (Facts { paths: vec![(path.clone(), false)], ..facts(&whole) }, vec![Missing::Path { path }]),
            (
                Facts { cameras: vec![(camera.clone(), false)], ..facts(&whole) },
                vec![Missing::Camera { camera }],
            ),
            (Facts { output_fails: true, ..facts(&whole) }, vec![Missing::Output]),
            (Facts { software: Some("1"), ..facts(&whole) }, vec![Missing::Software { is: "1".into() }]),
            (Facts { software: None, ..facts(&whole) }, vec![Missing::Software { is: String::new() }]),
        ];
        for (facts, missing) in table {
            assert_eq!(facts.missing(), missing, "{facts:?}");
        }
    }
}
