//! Sound files of announcements: WAV, 16 bits, one channel. The console makes one of whatever its browser can decode;
//! here it is only judged. Pure.
//!
//! RIFF/WAVE (Multimedia Programming Interface and Data Specifications 1.0, 1991): `RIFF` size `WAVE`, then chunks of
//! name, size (little endian) and bytes, padded to even length; `fmt ` before `data`.

use alarm::announcement::{LONGEST, SHORTEST};
use std::time::Duration;

/// Highest sampling rate: what Opus has, and so the most that a site can hear.
const RATE_MAX: u32 = 48_000;
/// Lowest: a telephone's.
const RATE_MIN: u32 = 8_000;
/// Everything that is not sound: headers, and what programs write beside them.
const BESIDE: usize = 64 * 1024;
/// Largest file: the longest announcement at the highest rate.
pub(crate) const LARGEST: usize = LONGEST.as_secs() as usize * RATE_MAX as usize * 2 + BESIDE;
/// The loudest sample must reach this (-40 dB of full scale): what is below nobody hears in a hall, and whoever plays
/// it believes that they do.
const HEARD: u16 = 328;

/// Why a file is no announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadSound {
    /// No RIFF, or torn.
    #[error("this is no whole WAV file: save it again as WAV")]
    NoWav,
    /// Compressed, or with other samples.
    #[error("the sound is not PCM with 16 bits a sample: save it as WAV, 16 bit")]
    Coding,
    /// Stereo.
    #[error("the sound has {0} channels: mix it down to one")]
    Channels(u16),
    /// Too low or too high.
    #[error("the sampling rate is {0} Hz: it must be {RATE_MIN} to {RATE_MAX}")]
    Rate(u32),
    /// A click.
    #[error("the sound lasts {} ms: an announcement lasts at least {} ms", .0.as_millis(), SHORTEST.as_millis())]
    Short(Duration),
    /// Nobody listens so long.
    #[error("the sound lasts {} s: an announcement lasts at most {} s", .0.as_secs_f32(), LONGEST.as_secs())]
    Long(Duration),
    /// Nothing to hear.
    #[error("the sound is silent: nobody would hear it")]
    Silent,
}

impl BadSound {
    /// The word that the console translates.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NoWav | Self::Coding | Self::Channels(_) | Self::Rate(_) => "not-a-sound",
            Self::Short(_) => "sound-too-short",
            Self::Long(_) => "sound-too-long",
            Self::Silent => "sound-silent",
        }
    }
}

/// How long the sound of a good file lasts.
pub(crate) fn judge(file: &[u8]) -> Result<Duration, BadSound> {
    let body = match file {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', body @ ..] => body,
        _ => return Err(BadSound::NoWav),
    };
    let format = chunk(body, b"fmt ").ok_or(BadSound::NoWav)?;
    let rate = rate(format)?;
    let mut samples = chunk(body, b"data").ok_or(BadSound::NoWav)?.chunks_exact(2);
    let count = u32::try_from(samples.len()).map_err(|_| BadSound::NoWav)?;
    let length = Duration::from_secs_f64(f64::from(count) / f64::from(rate));
    if length < SHORTEST {
        return Err(BadSound::Short(length));
    }
    if length > LONGEST {
        return Err(BadSound::Long(length));
    }
    let loud = |two: &[u8]| i16::from_le_bytes([two[0], two[1]]).unsigned_abs() >= HEARD;
    if samples.any(loud) { Ok(length) } else { Err(BadSound::Silent) }
}

fn rate(format: &[u8]) -> Result<u32, BadSound> {
    let [
        coding_0,
        coding_1,
        channels_0,
        channels_1,
        rate_0,
        rate_1,
        rate_2,
        rate_3,
        _,
        _,
        _,
        _,
        _,
        _,
        bits_0,
        bits_1,
        ..,
    ] = *format
    else {
        return Err(BadSound::NoWav);
    };
    let [coding, bits] = [[coding_0, coding_1], [bits_0, bits_1]].map(u16::from_le_bytes);
    // 1 is PCM; 0xfffe says that the coding stands further on, which nobody needs for one channel of 16 bits.
    if (coding, bits) != (1, 16) {
        return Err(BadSound::Coding);
    }
    let channels = u16::from_le_bytes([channels_0, channels_1]);
    if channels != 1 {
        return Err(BadSound::Channels(channels));
    }
    let rate = u32::from_le_bytes([rate_0, rate_1, rate_2, rate_3]);
    if (RATE_MIN..=RATE_MAX).contains(&rate) { Ok(rate) } else { Err(BadSound::Rate(rate)) }
}

/// The first chunk of this name, if it is whole.
fn chunk<'a>(mut body: &'a [u8], wanted: &[u8; 4]) -> Option<&'a [u8]> {
    loop {
        let (name, rest) = body.split_first_chunk::<4>()?;
        let (size, rest) = rest.split_first_chunk::<4>()?;
        let size = usize::try_from(u32::from_le_bytes(*size)).ok()?;
        if name == wanted {
            return rest.get(..size);
        }
        body = rest.get(size.checked_add(size % 2)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A file of so many milliseconds.
    fn wav(coding: u16, channels: u16, rate: u32, ms: u32, sample: i16) -> Vec<u8> {
        let data = sample.to_le_bytes().repeat(usize::try_from(rate * ms / 1000).unwrap());
        let list = [&b"LIST"[..], &3u32.to_le_bytes(), b"abc\0"].concat();
        let format = [
            &b"fmt "[..],
            &16u32.to_le_bytes(),
            &coding.to_le_bytes(),
            &channels.to_le_bytes(),
            &rate.to_le_bytes(),
            &(rate * 2).to_le_bytes(),
            &2u16.to_le_bytes(),
            &16u16.to_le_bytes(),
        ];
        let length = u32::try_from(data.len()).unwrap();
        let rest = [list, format.concat(), [&b"data"[..], &length.to_le_bytes(), &data].concat()].concat();
        let all = u32::try_from(rest.len() + 4).unwrap();
        [&b"RIFF"[..], &all.to_le_bytes(), b"WAVE", &rest].concat()
    }

    #[test]
    fn a_good_file_says_how_long_it_lasts() {
        assert_eq!(judge(&wav(1, 1, 24_000, 2_500, 1_000)), Ok(Duration::from_millis(2_500)));
        let longest = wav(1, 1, RATE_MAX, 60_000, -1_000);
        assert_eq!(judge(&longest), Ok(LONGEST));
        assert!(longest.len() <= LARGEST, "{}", longest.len());
    }

    #[test]
    fn what_is_no_announcement_says_why() {
        let good = wav(1, 1, 8_000, 1_000, 1_000);
        let table = [
            (b"OggS and so on".to_vec(), BadSound::NoWav),
            (vec![], BadSound::NoWav),
            (good[..good.len() - 1].to_vec(), BadSound::NoWav),
            (wav(3, 1, 8_000, 1_000, 1_000), BadSound::Coding),
            (wav(1, 2, 8_000, 1_000, 1_000), BadSound::Channels(2)),
            (wav(1, 1, 96_000, 1_000, 1_000), BadSound::Rate(96_000)),
            (wav(1, 1, 0, 1_000, 1_000), BadSound::Rate(0)),
            (wav(1, 1, 8_000, 400, 1_000), BadSound::Short(Duration::from_millis(400))),
            (wav(1, 1, 8_000, 60_001, 1_000), BadSound::Long(Duration::from_millis(60_001))),
            (wav(1, 1, 8_000, 1_000, 300), BadSound::Silent),
        ];
        for (file, why) in table {
            assert_eq!(judge(&file), Err(why));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..60, to: u8) {
            let _ = judge(&bytes);
            let mut file = wav(1, 1, 8_000, 600, 1_000);
            file[at] = to;
            let _ = judge(&file);
        }
    }
}
