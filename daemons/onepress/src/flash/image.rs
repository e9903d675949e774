//! An image as it is handed out: `name.raw`, `.raw.zst` or `.raw.xz`, its block map `name.raw.bmap`, and beside them
//! `SHA256SUMS` with its signature `SHA256SUMS.gpg`, the same that a running box checks before it updates itself.

use super::map::Map;
use crate::signed::{self, SIGNATURE, SUMS, Sums};
use anyhow::{Context, ensure};
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A chunk while hashing.
const CHUNK: usize = 1 << 20;
/// Largest block map: an image of 64 GiB in single blocks has less.
const MAP_MAX: u64 = 64 << 20;

/// An image whose signature is good.
#[derive(Clone, Debug)]
pub struct Image {
    path: PathBuf,
    packing: Packing,
    /// Bytes of the file.
    pub packed: u64,
    /// What of it is written; the whole when there is no block map.
    pub map: Option<Map>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Raw,
    Zst,
    Xz,
}

/// The unpacked image, and how far its file has been read.
pub struct Unpacked {
    inner: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Image {
    /// Checks name, signature and hashes. Nothing has been written when this fails.
    ///
    /// # Errors
    /// What is missing or wrong, and the remedy.
    pub fn open(path: &Path, keys: &Path) -> anyhow::Result<Self> {
        let name = path.file_name().and_then(|name| name.to_str()).context("the image has no name")?;
        let packing = packing(name)?;
        let packed = fs::metadata(path).with_context(|| format!("the image {}", path.display()))?.len();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let sums = signed::check(&folder.join(SUMS), &folder.join(SIGNATURE), keys)?;
        is_signed(path, name, &sums)?;
        let raw = name.trim_end_matches(".xz").trim_end_matches(".zst");
        let map = folder.join(format!("{raw}.bmap"));
        let map = map.exists().then(|| read_map(&map, &sums)).transpose()?;
        Ok(Self { path: path.to_owned(), packing, packed, map })
    }

    /// Opens it for reading from its beginning.
    ///
    /// # Errors
    /// When it cannot be opened, or its head is no such packing.
    pub fn unpack(&self) -> anyhow::Result<Unpacked> {
        let read = Arc::new(AtomicU64::new(0));
        let file = Counted {
            inner: BufReader::with_capacity(CHUNK, File::open(&self.path)?),
            read: Arc::clone(&read),
        };
        let inner: Box<dyn Read + Send> = match self.packing {
            Packing::Raw => Box::new(file),
            Packing::Zst => {
                let decoder = ruzstd::decoding::StreamingDecoder::new(file);
                Box::new(decoder.map_err(|error| anyhow::anyhow!("{}: {error}", self.path.display()))?)
            }
            Packing::Xz => Box::new(lzma_rust2::XzReader::new(file, true)),
        };
        Ok(Unpacked { inner, read })
    }
}

impl Unpacked {
    /// Bytes of the packed file that were read.
    pub fn progress(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer)
    }
}

struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

fn packing(name: &str) -> anyhow::Result<Packing> {
    let known = [(".raw", Packing::Raw), (".raw.zst", Packing::Zst), (".raw.xz", Packing::Xz)];
    let found = known.into_iter().find(|(end, _)| name.ends_with(end)).map(|(_, packing)| packing);
    found.with_context(|| {
        format!("{name} is no image: expected a name that ends in .raw, .raw.zst or .raw.xz")
    })
}

/// The file is the one that was signed.
fn is_signed(path: &Path, name: &str, sums: &Sums) -> anyhow::Result<()> {
    let signed =
        sums.of(name).with_context(|| format!("{name} is not listed in SHA256SUMS: nobody has signed it"))?;
    let found = signed::sum(File::open(path)?).with_context(|| format!("reading {}", path.display()))?;
    ensure!(signed == found, "{name} is not the file that was signed: download it again");
    Ok(())
}

fn read_map(path: &Path, sums: &Sums) -> anyhow::Result<Map> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    ensure!(fs::metadata(path)?.len() <= MAP_MAX, "{name} is too large for a block map");
    is_signed(path, name, sums)?;
    Map::parse(&fs::read_to_string(path)?).with_context(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_packing() {
        assert_eq!(packing("onepress-edge_1.raw.xz").unwrap(), Packing::Xz);
        assert!(packing("onepress.iso").unwrap_err().to_string().contains(".raw.zst"));
    }
}
