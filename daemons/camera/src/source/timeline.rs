//! From the time stamps of a camera to one timeline that begins at zero and never jumps.

use media::Kind;
use std::time::Duration;

/// A step of more than this, beyond what the camera's frame rate explains, is a jump.
const STEP_MAX: i64 = 1_000_000;
/// Pictures that are shown in another order than they are coded go back by less than this.
const REORDER_MAX: i64 = 500_000;

/// Where a frame belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// At this time of the segment.
    At(Duration),
    /// Before its beginning: nobody needs it.
    Before,
    /// The camera's clock has jumped.
    Jumped,
}

/// The timeline of one segment. Time stamps are microseconds of one clock for picture and sound.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    zero: Option<i64>,
    last: [Option<i64>; 2],
    usual: [i64; 2],
}

impl Timeline {
    /// Forgets everything but the usual distance of frames: a new segment.
    pub(crate) fn restart(&mut self) {
        *self = Self { usual: self.usual, ..Self::default() };
    }

    /// Places a frame. The first one makes the zero.
    pub(crate) fn place(&mut self, kind: Kind, stamp: i64) -> Placed {
        let zero = *self.zero.get_or_insert(stamp);
        let track = kind as usize;
        let Ok(since) = u64::try_from(stamp - zero) else {
            return if self.last[track].is_some() { Placed::Jumped } else { Placed::Before };
        };
        if let Some(last) = self.last[track] {
            let step = stamp - last;
            if step > STEP_MAX + 2 * self.usual[track] || step < -REORDER_MAX {
                return Placed::Jumped;
            }
            self.usual[track] = step.max(0);
        }
        let latest = self.last[track].map_or(stamp, |last| last.max(stamp));
        self.last[track] = Some(latest);
        Placed::At(Duration::from_micros(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(stamps: &[i64]) -> Vec<Placed> {
        let mut timeline = Timeline::default();
        stamps.iter().map(|ms| timeline.place(Kind::Video, ms * 1000)).collect()
    }

    fn at(ms: u64) -> Placed {
        Placed::At(Duration::from_millis(ms))
    }

    #[test]
    fn time_begins_at_zero_and_goes_on() {
        assert_eq!(places(&[5000, 5040, 5080]), [at(0), at(40), at(80)]);
        assert_eq!(places(&[-5000, -4960]), [at(0), at(40)]);
    }

    #[test]
    fn a_step_of_more_than_a_second_is_a_jump_and_so_is_a_step_back() {
        assert_eq!(places(&[0, 40, 1090]), [at(0), at(40), at(1090)]);
        assert_eq!(places(&[0, 40, 1190]), [at(0), at(40), Placed::Jumped]);
        assert_eq!(places(&[0, 2000]), [at(0), Placed::Jumped]);
        assert_eq!(places(&[0, 600, 90]), [at(0), at(600), Placed::Jumped]);
    }

    #[test]
    fn pictures_out_of_order_are_no_jump() {
        assert_eq!(places(&[0, 120, 40, 80, 240, 160]), [at(0), at(120), at(40), at(80), at(240), at(160)]);
    }

    #[test]
    fn a_camera_with_a_picture_every_two_seconds_jumps_once_only() {
        let mut timeline = Timeline::default();
        timeline.place(Kind::Video, 0);
        timeline.usual[0] = 0;
        assert_eq!(timeline.place(Kind::Video, 2_000_000), Placed::Jumped);
        timeline.usual[0] = 2_000_000;
        timeline.restart();
        assert_eq!(timeline.place(Kind::Video, 2_000_000), at(0));
        assert_eq!(timeline.place(Kind::Video, 4_000_000), at(2000));
    }

    #[test]
    fn sound_from_before_the_picture_is_left_out() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.place(Kind::Video, 100_000), at(0));
        assert_eq!(timeline.place(Kind::Audio, 80_000), Placed::Before);
        assert_eq!(timeline.place(Kind::Audio, 110_000), at(10));
        assert_eq!(timeline.place(Kind::Video, 40_000), Placed::Jumped);
    }
}
