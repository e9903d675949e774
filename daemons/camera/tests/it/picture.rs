//! Reads the numbers that the played cameras write into their pictures.

use media::follow::{Group, Track};
use media::mp4::Writer;
use std::io::Write;
use std::process::Command;

const BLOCK: (usize, usize) = (20, 32);
const BITS: usize = 16;

/// The numbers of all pictures of these groups, in order. `width` by `height` is their size.
pub(crate) fn numbers(track: &Track, groups: &[Group], (width, height): (usize, usize)) -> Vec<u16> {
    let luma = decoded(track, groups);
    assert_eq!(luma.len() % (width * height), 0, "pictures of another size");
    luma.chunks(width * height).map(|picture| number(picture, width)).collect()
}

fn number(picture: &[u8], width: usize) -> u16 {
    let bits = |row: usize| {
        let y = row * BLOCK.1 + BLOCK.1 / 2;
        (0..BITS).fold(0_u16, |bits, n| {
            let bit = picture[y * width + n * BLOCK.0 + BLOCK.0 / 2] > 128;
            bits << 1 | u16::from(bit)
        })
    };
    assert_eq!(bits(0), !bits(1), "no number in this picture");
    bits(0)
}

/// Grey pictures, one after the other, by ffmpeg.
fn decoded(track: &Track, groups: &[Group]) -> Vec<u8> {
    let mut writer = Writer::new(track, 1).unwrap();
    let mut file = tempfile::NamedTempFile::with_suffix(".mp4").unwrap();
    file.write_all(&writer.init().unwrap()).unwrap();
    for group in groups {
        file.write_all(&writer.fragment(&group.frames, None).unwrap().unwrap().data).unwrap();
    }
    let arguments = ["-f", "rawvideo", "-pix_fmt", "gray", "-fps_mode", "passthrough", "pipe:1"];
    let out = Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(file.path()).args(arguments).output();
    let out = out.expect("run tests/setup/media.sh first");
    assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

/// Each number is one more than the one before.
pub(crate) fn is_contiguous(numbers: &[u16]) -> bool {
    numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1))
}
