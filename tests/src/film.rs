//! Pictures of the played cameras, read back: each carries its number in blocks of black and white, see the head of
//! `tests/peers/camera/serve.py`. ffmpeg decodes; `tests/setup/media.sh` installs it.

use std::path::Path;
use std::process::Command;

/// Size of the played picture.
const WIDTH: usize = 320;
const HEIGHT: usize = 240;
/// Size of a block and number of them.
const BLOCK: (usize, usize) = (20, 32);
const BITS: usize = 16;
const MIDDLE: u8 = 128;

/// Pictures a second of the played cameras.
pub const FPS: u64 = 15;

/// The number in every picture of a file, in the order in which they are shown; `None` where it cannot be read.
///
/// # Panics
/// If ffmpeg is missing or finds the file broken.
#[must_use]
pub fn numbers(file: &Path) -> Vec<Option<u16>> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-xerror", "-i"]).arg(file);
    ffmpeg.args(["-map", "0:v", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-"]);
    let done = ffmpeg.output().expect("ffmpeg is there: tests/setup/media.sh installs it");
    assert!(done.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&done.stderr));
    done.stdout.chunks_exact(WIDTH * HEIGHT).map(number).collect()
}

/// The number that a grey picture carries: the second row of blocks is the first one inverted.
fn number(picture: &[u8]) -> Option<u16> {
    let row = |row: usize| {
        (0..BITS).fold(0u16, |bits, bit| {
            let (x, y) = (bit * BLOCK.0 + BLOCK.0 / 2, row * BLOCK.1 + BLOCK.1 / 2);
            bits << 1 | u16::from(picture[y * WIDTH + x] > MIDDLE)
        })
    };
    (row(0) == !row(1)).then(|| row(0))
}

/// How loud a tone is in a file's sound, beside everything else: its share of the power, 0 to 1 (Goertzel).
///
/// # Panics
/// If ffmpeg is missing or finds the file broken.
#[must_use]
pub fn tone(file: &Path, hertz: f64) -> f64 {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-i"]).arg(file);
    ffmpeg.args(["-map", "0:a", "-f", "s16le", "-ac", "1", "-ar", "48000", "-"]);
    let done = ffmpeg.output().expect("ffmpeg is there: tests/setup/media.sh installs it");
    assert!(done.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&done.stderr));
    let samples: Vec<f64> =
        done.stdout.chunks_exact(2).map(|two| f64::from(i16::from_le_bytes([two[0], two[1]]))).collect();
    share(&samples, hertz)
}

/// As [`tone`], of samples at 48 kHz.
#[must_use]
pub fn share(samples: &[f64], hertz: f64) -> f64 {
    const RATE: f64 = 48_000.0;
    let power: f64 = samples.iter().map(|sample| sample * sample).sum();
    let turn = 2.0 * (std::f64::consts::TAU * hertz / RATE).cos();
    // A tone of a camera's own clock drifts against ours: short pieces, added up by their power.
    let piece = |samples: &[f64]| {
        let (mut one, mut two) = (0.0, 0.0);
        for sample in samples {
            (one, two) = (sample + turn * one - two, one);
        }
        (one * one + two * two - turn * one * two) * 2.0 / samples.len() as f64
    };
    if power == 0.0 { 0.0 } else { samples.chunks(4_800).map(piece).sum::<f64>() / power }
}
