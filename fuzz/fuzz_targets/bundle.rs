//! Update bundles, as they come from a stick or over the link: an archive is read to its end or refused, whatever was
//! taken has a name that leads nowhere else, and a signed list that is taken says one release for all files.

#![no_main]

use bundle::look::{Beginning, compare};
use bundle::signed::Sums;
use bundle::tar::{Archive, plain};
use bundle::{Contents, Profile};
use libfuzzer_sys::fuzz_target;
use onepress::update::tryboot::plan::Autoboot;
use std::io::{Read, copy, sink};

fuzz_target!(|bytes: &[u8]| {
    archive(bytes);
    look(bytes);
    let _ = Autoboot::read(bytes);
    if let Ok(sums) = Sums::parse(&String::from_utf8_lossy(bytes)) {
        list(&sums);
    }
});

fn archive(bytes: &[u8]) {
    let mut archive = Archive::new(bytes);
    let mut length = 0;
    while let Ok(Some(member)) = archive.member() {
        assert!(plain(&member.name) && !member.name.contains(['/', '\\']), "{}", member.name);
        length += 512;
        // A member that is skipped is as long as one that is read.
        if length % 1_024 == 0 {
            let mut list = Vec::new();
            let whole = (&mut archive).take(1 << 16).read_to_end(&mut list).is_ok();
            assert!(!whole || list.len() as u64 == member.size.min(1 << 16));
        } else {
            let _ = copy(&mut archive, &mut sink());
        }
        assert!(length <= bytes.len(), "a header for each member");
    }
}

/// As the centre looks at what was uploaded.
fn look(bytes: &[u8]) {
    let mut archive = Archive::new(bytes);
    let Ok(beginning) = Beginning::read(&mut archive) else { return };
    let Ok(contents) = beginning.contents() else { return };
    assert!(Profile::ALL.contains(&contents.release.profile));
    let _ = compare(&mut archive, &contents);
}

fn list(sums: &Sums) {
    let Ok(contents) = Contents::of(sums) else { return };
    let release = format!("{}_{}", contents.release.profile, contents.release.version);
    for file in &contents.files {
        assert!(plain(&file.name) && file.name.starts_with(&release), "{}", file.name);
        assert_eq!(sums.of(&file.name), Some(file.sum.as_str()));
    }
}
