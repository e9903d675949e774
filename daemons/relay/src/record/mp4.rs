//! What has to be known of a fragment's bytes (ISO/IEC 14496-12): where it ends, its number, its time. The number of
//! a fragment (`mfhd`) is the number of its group and one, so that a recording tells by itself what is missing.

use std::ops::Range;

/// One movie fragment (`moof` and `mdat`) in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// Where it lies in the file, both boxes.
    pub(crate) bytes: Range<u64>,
    /// Number of the group.
    pub(crate) group: u64,
    /// Decoding time of its first frame, in ticks of the track.
    pub(crate) from: u64,
    /// Its length in ticks.
    pub(crate) ticks: u64,
}

/// A box in memory: its kind, and where its content lies.
struct Found {
    kind: [u8; 4],
    whole: Range<usize>,
    content: usize,
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The box at `at`; `None` when it is not whole.
fn found(bytes: &[u8], at: usize) -> Option<Found> {
    let kind = *bytes.get(at + 4..)?.first_chunk()?;
    let (size, header) = match u32_at(bytes, at)? {
        1 => (usize::try_from(u64_at(bytes, at + 8)?).ok()?, 16),
        size => (usize::try_from(size).ok()?, 8),
    };
    let end = at.checked_add(size).filter(|end| size >= header && *end <= bytes.len())?;
    Some(Found { kind, whole: at..end, content: at + header })
}

fn children(bytes: &[u8], within: Range<usize>) -> impl Iterator<Item = Found> {
    let mut at = within.start;
    std::iter::from_fn(move || {
        let next = found(bytes, at).filter(|next| next.whole.end <= within.end)?;
        at = next.whole.end;
        Some(next)
    })
}

fn child(bytes: &[u8], parent: &Found, kind: &[u8; 4]) -> Option<Found> {
    children(bytes, parent.content..parent.whole.end).find(|found| found.kind == *kind)
}

/// Ticks per second of the one track of an init segment.
pub(crate) fn timescale(init: &[u8]) -> Option<u32> {
    let moov = children(init, 0..init.len()).find(|found| found.kind == *b"moov")?;
    let trak = child(init, &moov, b"trak")?;
    let mdia = child(init, &trak, b"mdia")?;
    let mdhd = child(init, &mdia, b"mdhd")?;
    let at = if *init.get(mdhd.content)? == 1 { mdhd.content + 20 } else { mdhd.content + 12 };
    u32_at(init, at).filter(|timescale| *timescale > 0)
}

/// The fragments of a segment, up to the first that is not whole.
pub(crate) fn fragments(segment: &[u8]) -> Vec<Fragment> {
    let mut fragments = Vec::new();
    let mut at = 0;
    while let Some(moof) = found(segment, at).filter(|moof| moof.kind == *b"moof") {
        let Some(mdat) = found(segment, moof.whole.end).filter(|mdat| mdat.kind == *b"mdat") else { break };
        let Some((group, from, ticks)) = read(segment, &moof) else { break };
        let bytes = to_u64(at)..to_u64(mdat.whole.end);
        fragments.push(Fragment { bytes, group, from, ticks });
        at = mdat.whole.end;
    }
    fragments
}

fn to_u64(at: usize) -> u64 {
    u64::try_from(at).unwrap_or(u64::MAX)
}

fn read(bytes: &[u8], moof: &Found) -> Option<(u64, u64, u64)> {
    let mfhd = child(bytes, moof, b"mfhd")?;
    let traf = child(bytes, moof, b"traf")?;
    let tfdt = child(bytes, &traf, b"tfdt")?;
    let tfhd = child(bytes, &traf, b"tfhd")?;
    let trun = child(bytes, &traf, b"trun")?;
    let group = u64::from(u32_at(bytes, mfhd.content + 4)?).saturating_sub(1);
    let from = match bytes.get(tfdt.content)? {
        1 => u64_at(bytes, tfdt.content + 4)?,
        _ => u64::from(u32_at(bytes, tfdt.content + 4)?),
    };
    Some((group, from, ticks(bytes, &tfhd, &trun)?))
}

/// The sum of the durations of a run (section 8.8.8), with the fragment's default (section 8.8.7).
fn ticks(bytes: &[u8], tfhd: &Found, trun: &Found) -> Option<u64> {
    let flags = u32_at(bytes, tfhd.content)?;
    let before = [(0x1, 8), (0x2, 4)].iter().filter(|(flag, _)| flags & flag != 0).map(|(_, size)| size);
    let at = tfhd.content + 8 + before.sum::<usize>();
    let default = if flags & 0x8 == 0 { 0 } else { u32_at(bytes, at)? };
    let flags = u32_at(bytes, trun.content)?;
    let samples = u32_at(bytes, trun.content + 4)?;
    if flags & 0x100 == 0 {
        return Some(u64::from(default) * u64::from(samples));
    }
    let head = [0x1, 0x4].iter().filter(|flag| flags & **flag != 0).count() * 4;
    let each = [0x100, 0x200, 0x400, 0x800].iter().filter(|flag| flags & **flag != 0).count() * 4;
    let first = trun.content + 8 + head;
    let durations = (0..usize::try_from(samples).ok()?).map(|n| u32_at(bytes, first + n * each));
    durations.map(|duration| duration.map(u64::from)).sum()
}

/// Numbers a fragment after its group.
pub(crate) fn number(fragment: &mut [u8], group: u64) {
    let moof = found(fragment, 0).filter(|moof| moof.kind == *b"moof");
    let Some(mfhd) = moof.and_then(|moof| child(fragment, &moof, b"mfhd")) else { return };
    // Groups of more than four years at 30 a second have no number of their own.
    let number = u32::try_from(group + 1).unwrap_or(u32::MAX).to_be_bytes();
    fragment[mfhd.content + 4..mfhd.content + 8].copy_from_slice(&number);
}

/// Moves a fragment `back` ticks towards the beginning.
pub(crate) fn shift(fragment: &mut [u8], back: u64) {
    let place = |fragment: &[u8]| {
        let moof = found(fragment, 0).filter(|moof| moof.kind == *b"moof")?;
        let traf = child(fragment, &moof, b"traf")?;
        let tfdt = child(fragment, &traf, b"tfdt")?;
        let long = *fragment.get(tfdt.content)? == 1;
        Some((tfdt.content + 4, long))
    };
    match place(fragment) {
        Some((at, true)) => {
            let time = u64_at(fragment, at).unwrap_or(0).saturating_sub(back);
            fragment[at..at + 8].copy_from_slice(&time.to_be_bytes());
        }
        Some((at, false)) => {
            let back = u32::try_from(back).unwrap_or(u32::MAX);
            let time = u32_at(fragment, at).unwrap_or(0).saturating_sub(back);
            fragment[at..at + 4].copy_from_slice(&time.to_be_bytes());
        }
        None => {}
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let size = u32::try_from(content.len() + 8).unwrap().to_be_bytes();
        [&size[..], kind, content].concat()
    }

    /// A fragment with one run of two samples and a duration for each.
    pub(crate) fn fragment(group: u32, from: u64, duration: u32, payload: &[u8]) -> Vec<u8> {
        let mfhd = boxed(b"mfhd", &[&[0; 4][..], &(group + 1).to_be_bytes()].concat());
        let tfhd = boxed(b"tfhd", &[&[0, 2, 0, 0][..], &1u32.to_be_bytes()].concat());
        let tfdt = boxed(b"tfdt", &[&[1, 0, 0, 0][..], &from.to_be_bytes()].concat());
        let sample = [&duration.to_be_bytes()[..], &3u32.to_be_bytes()].concat();
        let trun = [&[0, 0, 3, 1][..], &2u32.to_be_bytes(), &0u32.to_be_bytes(), &sample, &sample].concat();
        let traf = boxed(b"traf", &[tfhd, tfdt, boxed(b"trun", &trun)].concat());
        [boxed(b"moof", &[mfhd, traf].concat()), boxed(b"mdat", payload)].concat()
    }

    #[test]
    fn a_segment_tells_number_and_time_of_each_fragment_and_stops_at_a_torn_one() {
        let (one, two) = (fragment(4, 1000, 40, b"abc"), fragment(5, 1080, 40, b"abcdef"));
        let whole = [one.clone(), two.clone()].concat();
        let lengths = [to_u64(one.len()), to_u64(whole.len())];
        let expected = [
            Fragment { bytes: 0..lengths[0], group: 4, from: 1000, ticks: 80 },
            Fragment { bytes: lengths[0]..lengths[1], group: 5, from: 1080, ticks: 80 },
        ];
        assert_eq!(fragments(&whole), expected);
        for torn in one.len()..whole.len() {
            assert_eq!(fragments(&whole[..torn]), expected[..1], "{torn}");
        }
        (0..whole.len()).for_each(|at| {
            let mut broken = whole.clone();
            broken[at] ^= 0xff;
            let _ = fragments(&broken);
        });
    }

    #[test]
    fn a_fragment_takes_the_number_of_its_group_and_moves_in_time() {
        let mut one = fragment(0, 1000, 40, b"abc");
        number(&mut one, 77);
        shift(&mut one, 900);
        let read = fragments(&one);
        assert_eq!((read[0].group, read[0].from), (77, 100));
        shift(&mut one, 900);
        assert_eq!(fragments(&one)[0].from, 0, "never before the beginning");
    }
}
