//! Writes an image to a device through its block map, and reads back what was written.

use super::map::{Map, Mapped};
use crate::signed::hex;
use anyhow::{Context, bail, ensure};
use rustix::fs::{Advice, fadvise};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Written and read in one piece: what sticks like.
const CHUNK: usize = 4 << 20;
/// Flushed each time so much was written, so that progress is that of the stick and not of this computer's memory.
const FLUSH: u64 = 64 << 20;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Bytes go to the device.
    Write,
    /// Bytes are read back.
    Verify,
}

/// Writes `image` (the unpacked stream) to `device`, of `size` bytes. `told` hears the bytes that are done of those
/// that will be, when that is known.
///
/// # Errors
/// When the image is not what its map says, does not fit, or the device fails.
pub fn write(
    image: &mut impl Read,
    map: Option<&Map>,
    device: &mut File,
    size: u64,
    told: &mut impl FnMut(u64),
) -> anyhow::Result<Vec<Mapped>> {
    let Some(map) = map else { return whole(image, device, size, told) };
    ensure!(map.size <= size, "the image has {} bytes and the device {size}: take a larger one", map.size);
    let (mut at, mut done, mut flushed) = (0, 0, 0);
    for range in &map.ranges {
        skip(image, range.bytes.start - at)?;
        device.seek(SeekFrom::Start(range.bytes.start))?;
        let length = range.bytes.end - range.bytes.start;
        let mut part = image.by_ref().take(length);
        let (copied, hash) = copy(&mut part, device, &mut |count| {
            done += count;
            told(done);
        })?;
        ensure!(copied == length, "the image ends at byte {}: download it again", range.bytes.start + copied);
        ensure!(hash == range.sha256, "bytes {:?} of the image are not what its block map says", range.bytes);
        at = range.bytes.end;
        if done - flushed >= FLUSH {
            device.sync_data().context("writing to the device")?;
            flushed = done;
        }
    }
    device.sync_all().context("writing to the device")?;
    Ok(map.ranges.clone())
}

fn whole(
    image: &mut impl Read,
    device: &mut File,
    size: u64,
    told: &mut impl FnMut(u64),
) -> anyhow::Result<Vec<Mapped>> {
    device.seek(SeekFrom::Start(0))?;
    let (mut done, mut flushed) = (0, 0);
    let mut ranges = Vec::new();
    loop {
        let mut part = image.by_ref().take(FLUSH);
        let (copied, sha256) = copy(&mut part, device, &mut |count| {
            done += count;
            told(done);
        })
        .with_context(|| format!("after {done} bytes, on a device of {size}"))?;
        if copied == 0 {
            break;
        }
        ensure!(
            done <= size,
            "the image is longer than the device, which has {size} bytes: take a larger one"
        );
        ranges.push(Mapped { bytes: flushed..done, sha256 });
        flushed = done;
        device.sync_data().context("writing to the device")?;
    }
    ensure!(done > 0, "the image is empty");
    device.sync_all().context("writing to the device")?;
    Ok(ranges)
}

fn copy(from: &mut impl Read, to: &mut File, told: &mut impl FnMut(u64)) -> anyhow::Result<(u64, String)> {
    let (mut chunk, mut hash, mut copied) = (vec![0; CHUNK], Sha256::new(), 0);
    loop {
        let count = fill(from, &mut chunk).context("unpacking the image")?;
        if count == 0 {
            return Ok((copied, hex(&hash.finalize())));
        }
        to.write_all(&chunk[..count]).context("writing to the device")?;
        hash.update(&chunk[..count]);
        copied += count as u64;
        told(count as u64);
    }
}

fn fill(from: &mut impl Read, chunk: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < chunk.len() {
        match from.read(&mut chunk[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn skip(image: &mut impl Read, bytes: u64) -> anyhow::Result<()> {
    let skipped = io::copy(&mut image.take(bytes), &mut io::sink()).context("unpacking the image")?;
    ensure!(skipped == bytes, "the image is shorter than its block map says: download it again");
    Ok(())
}

/// Reads back what was written, from the device and not from this computer's memory.
///
/// # Errors
/// Names the first bytes that differ.
pub fn verify(device: &mut File, written: &[Mapped], told: &mut impl FnMut(u64)) -> anyhow::Result<()> {
    // Pages that are clean are dropped; what cannot drop them (a file system in memory) has them on no device anyway.
    let _ = fadvise(&*device, 0, None, Advice::DontNeed);
    let mut done = 0;
    for range in written {
        device.seek(SeekFrom::Start(range.bytes.start))?;
        let mut part = Read::by_ref(device).take(range.bytes.end - range.bytes.start);
        let (mut chunk, mut hash) = (vec![0; CHUNK], Sha256::new());
        loop {
            let count = fill(&mut part, &mut chunk).context("reading the device back")?;
            if count == 0 {
                break;
            }
            hash.update(&chunk[..count]);
            done += count as u64;
            told(done);
        }
        if hex(&hash.finalize()) != range.sha256 {
            bail!(
                "bytes {:?} read back differ from what was written: the device is broken or a fake",
                range.bytes
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Vec<u8> {
        let mut image = vec![0; 64 * 4_096];
        for (place, byte) in image.iter_mut().enumerate() {
            if (place / 4_096) % 5 < 2 {
                *byte = u8::try_from(place * 31 % 251).unwrap() | 1;
            }
        }
        image
    }

    /// A device full of something else.
    fn device(bytes: usize) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![0xff; bytes]).unwrap();
        file
    }

    fn content(file: &mut File) -> Vec<u8> {
        let mut all = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut all).unwrap();
        all
    }

    #[test]
    fn through_a_map_only_what_is_mapped_is_written_and_all_of_it_is_read_back() {
        let (image, map) = (image(), Map::parse(&Map::of(&image(), 4_096)).unwrap());
        let mut device = device(image.len());
        let mut heard = 0;
        let written =
            write(&mut &image[..], Some(&map), &mut device, image.len() as u64, &mut |done| heard = done)
                .unwrap();
        assert_eq!(heard, map.mapped());
        verify(&mut device, &written, &mut |_| {}).unwrap();
        let found = content(&mut device);
        for range in &map.ranges {
            let bytes =
                usize::try_from(range.bytes.start).unwrap()..usize::try_from(range.bytes.end).unwrap();
            assert_eq!(found[bytes.clone()], image[bytes]);
        }
        assert_eq!(found[3 * 4_096], 0xff, "a block that is not mapped is left alone");
    }

    #[test]
    fn without_a_map_every_byte_is_written() {
        let image = image();
        let mut device = device(image.len() + 10);
        let size = image.len() as u64 + 10;
        let written = write(&mut &image[..], None, &mut device, size, &mut |_| {}).unwrap();
        verify(&mut device, &written, &mut |_| {}).unwrap();
        assert_eq!(content(&mut device)[..image.len()], image);
    }

    #[test]
    fn a_byte_that_the_device_has_lost_is_found() {
        let image = image();
        let mut device = device(image.len());
        let written = write(&mut &image[..], None, &mut device, image.len() as u64, &mut |_| {}).unwrap();
        device.seek(SeekFrom::Start(5)).unwrap();
        device.write_all(&[image[5] ^ 1]).unwrap();
        let error = verify(&mut device, &written, &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains("broken or a fake"), "{error}");
    }

    #[test]
    fn an_image_that_is_short_wrong_or_too_long_is_refused() {
        let (image, map) = (image(), Map::parse(&Map::of(&image(), 4_096)).unwrap());
        let size = image.len() as u64;
        let refused = |bytes: &[u8], size| {
            let outcome = write(&mut &bytes[..], Some(&map), &mut device(bytes.len()), size, &mut |_| {});
            format!("{:#}", outcome.unwrap_err())
        };
        assert!(refused(&image[..8_000], size).contains("download it again"));
        let mut other = image.clone();
        other[10] ^= 1;
        assert!(refused(&other, size).contains("block map says"));
        assert!(refused(&image, size - 1).contains("larger one"));
    }
}
