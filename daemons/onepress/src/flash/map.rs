//! Block maps as bmaptool writes them (format 2.0): which blocks of an image carry something, and their hashes.

use crate::signed::hex;
use anyhow::{Context, ensure};
use roxmltree::Document;
use sha2::{Digest, Sha256};
use std::ops::Range;

/// What of an image is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// Length of the whole image, bytes.
    pub size: u64,
    /// Ascending, without overlap.
    pub ranges: Vec<Mapped>,
}

/// One run of blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Bytes of the image.
    pub bytes: Range<u64>,
    /// SHA-256 of these bytes, hex.
    pub sha256: String,
}

impl Map {
    /// Bytes that are written.
    pub fn mapped(&self) -> u64 {
        self.ranges.iter().map(|range| range.bytes.end - range.bytes.start).sum()
    }

    /// Reads a block map.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let document = Document::parse(text).context("the block map is not XML")?;
        let root = document.root_element();
        let version = root.attribute("version").unwrap_or_default();
        ensure!(
            root.has_tag_name("bmap") && version.starts_with("2."),
            "block map of version {version:?}: 2.0 is read"
        );
        let child = |name: &str| {
            let found = root.children().find(|node| node.has_tag_name(name)).and_then(|node| node.text());
            found.map(str::trim).with_context(|| format!("the block map has no {name}"))
        };
        let number =
            |name: &str| child(name)?.parse::<u64>().with_context(|| format!("{name} of the block map"));
        let (size, block) = (number("ImageSize")?, number("BlockSize")?);
        ensure!(
            block.is_power_of_two() && (512..=1 << 24).contains(&block),
            "BlockSize of the block map is {block}"
        );
        ensure!(child("ChecksumType")? == "sha256", "the block map's ChecksumType is not sha256");
        let list = root
            .children()
            .find(|node| node.has_tag_name("BlockMap"))
            .context("the block map has no BlockMap")?;
        let mut ranges: Vec<Mapped> = Vec::new();
        for node in list.children().filter(|node| node.has_tag_name("Range")) {
            let sha256 = node.attribute("chksum").context("a Range has no chksum")?.to_owned();
            let (first, last) = bounds(node.text().unwrap_or_default().trim())?;
            let start = first.checked_mul(block).context("a Range is out of range")?;
            let end = last
                .checked_add(1)
                .and_then(|next| next.checked_mul(block))
                .context("a Range is out of range")?;
            let bytes = start..end.min(size);
            let after = ranges.last().map_or(0, |range| range.bytes.end);
            ensure!(bytes.start >= after && bytes.start < bytes.end, "Range {first}-{last} is out of order");
            ranges.push(Mapped { bytes, sha256 });
        }
        ensure!(!ranges.is_empty(), "the block map is empty");
        Ok(Self { size, ranges })
    }

    /// Makes the text of a map for tests and for images that have none.
    pub fn of(image: &[u8], block: usize) -> String {
        let zero = |chunk: &[u8]| chunk.iter().all(|byte| *byte == 0);
        let mut ranges = String::new();
        let chunks: Vec<_> = image.chunks(block).collect();
        let mut next = 0;
        while next < chunks.len() {
            if zero(chunks[next]) {
                next += 1;
                continue;
            }
            let first = next;
            while next < chunks.len() && !zero(chunks[next]) {
                next += 1;
            }
            let end = (next * block).min(image.len());
            let hash = hex(&Sha256::digest(&image[first * block..end]));
            ranges.push_str(&format!("<Range chksum=\"{hash}\">{first}-{}</Range>", next - 1));
        }
        format!(
            "<bmap version=\"2.0\"><ImageSize>{}</ImageSize><BlockSize>{block}</BlockSize>\
             <ChecksumType>sha256</ChecksumType><BlockMap>{ranges}</BlockMap></bmap>",
            image.len()
        )
    }
}

fn bounds(text: &str) -> anyhow::Result<(u64, u64)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let read = |text: &str| text.trim().parse().with_context(|| format!("Range {text:?} of the block map"));
    Ok((read(first)?, read(last)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_of_an_image_reads_back() {
        let mut image = vec![0; 10 * 512];
        image[512] = 1;
        image[3 * 512] = 2;
        image[4 * 512] = 3;
        let map = Map::parse(&Map::of(&image, 512)).unwrap();
        let ranges: Vec<_> = map.ranges.iter().map(|range| range.bytes.clone()).collect();
        assert_eq!((map.size, ranges), (5_120, vec![512..1_024, 1_536..2_560]));
        assert_eq!(map.mapped(), 1_536);
    }

    #[test]
    fn a_map_that_makes_no_sense_is_refused_by_name() {
        let good = Map::of(&[1; 1_024], 512);
        for (from, to, word) in [
            ("<bmap", "<map", "not XML"),
            ("2.0", "1.4", "2.0 is read"),
            ("BlockSize", "Block", "BlockSize"),
            ("<BlockSize>512", "<BlockSize>500", "BlockSize"),
            ("sha256</C", "md5</C", "ChecksumType"),
            ("0-1", "1-0", "out of order"),
            ("0-1", "0-x", "Range"),
            ("0-1", "0-18446744073709551615", "out of range"),
        ] {
            assert!(good.contains(from), "{from}");
            let error = format!("{:#}", Map::parse(&good.replacen(from, to, 1)).unwrap_err());
            assert!(error.contains(word), "{from} to {to}: {error}");
        }
    }
}
