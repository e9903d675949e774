//! Writing an appliance image to a stick or a disk: which device, which image, how it is written and looked at again,
//! and what of the site goes with it.

pub mod device;
pub mod image;
pub mod map;
pub mod partition;
pub mod site;
pub mod write;

/// Bytes as people read them: `1.9 GB`.
pub fn readable(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut value = bytes as f64 / 1_000.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if value < 1_000.0 {
            break;
        }
        value /= 1_000.0;
        unit = larger;
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_read_them() {
        assert_eq!(readable(512), "0.5 kB");
        assert_eq!(readable(31_914_983_424), "31.9 GB");
    }
}
