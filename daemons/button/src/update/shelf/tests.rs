use super::*;
use tempfile::TempDir;

const WHOLE: &[u8] = b"all of a bundle";

struct Box7 {
    dir: TempDir,
}

impl Box7 {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("etc")).unwrap();
        fs::create_dir_all(dir.path().join("var/lib/onepress/update/incoming")).unwrap();
        fs::write(dir.path().join("etc/os-release"), "IMAGE_ID=onepress-edge-x86\nIMAGE_VERSION=1.2\n")
            .unwrap();
        Self { dir }
    }

    fn place(&self) -> Place {
        Place::new(self.dir.path(), self.dir.path())
    }

    /// As after a restart.
    fn shelf(&self) -> Shelf {
        Shelf::new(&self.place())
    }

    fn there(&self) -> Vec<String> {
        let entries = fs::read_dir(self.place().incoming()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn offer(bytes: &[u8], since: i64) -> Offer {
    Offer {
        sha256: signed::sum(bytes).unwrap(),
        image: "onepress-edge-x86".into(),
        version: "2".parse().unwrap(),
        bytes: u64::try_from(bytes.len()).unwrap(),
        since: Wall::from_millis(since),
    }
}

#[test]
fn a_bundle_that_is_cut_and_taken_up_again_arrives_whole_and_once() {
    let (edge, offer) = (Box7::new(), offer(WHOLE, 1));
    let mut shelf = edge.shelf();
    assert_eq!(shelf.begin(&offer).unwrap(), Begun::Has(0));
    assert_eq!(shelf.add(&WHOLE[..5]).unwrap(), 5);
    let mut shelf = edge.shelf();
    assert_eq!(shelf.begin(&offer).unwrap(), Begun::Has(5));
    assert_eq!(edge.there(), [PART]);
    shelf.add(&WHOLE[5..]).unwrap();
    shelf.complete(&offer).unwrap();
    assert_eq!(edge.there(), ["onepress-edge-x86_2.bundle"]);
    let arrived = edge.place().incoming().join("onepress-edge-x86_2.bundle");
    assert_eq!(fs::read(&arrived).unwrap(), WHOLE);
    fs::remove_file(arrived).unwrap();
    assert_eq!(edge.shelf().begin(&offer).unwrap(), Begun::Arrived, "the updater has taken it");
    assert_eq!(edge.shelf().begin(&Offer { since: Wall::from_millis(2), ..offer }).unwrap(), Begun::Has(0));
}

#[test]
fn a_cut_between_the_last_byte_and_the_new_name_gives_it_to_the_updater_later() {
    let (edge, offer) = (Box7::new(), offer(WHOLE, 1));
    let mut shelf = edge.shelf();
    shelf.begin(&offer).unwrap();
    shelf.add(WHOLE).unwrap();
    shelf.remember(&offer, true).unwrap();
    let mut shelf = edge.shelf();
    assert_eq!(shelf.begin(&offer).unwrap(), Begun::Has(offer.bytes));
    shelf.complete(&offer).unwrap();
    assert_eq!(edge.there(), ["onepress-edge-x86_2.bundle"]);
}

#[test]
fn what_is_not_what_was_offered_is_removed() {
    let (edge, offer) = (Box7::new(), offer(WHOLE, 1));
    for wrong in [&b"all of a bundl_"[..], b"all", b"all of a bundle and more"] {
        let mut shelf = edge.shelf();
        shelf.begin(&offer).unwrap();
        shelf.add(wrong).unwrap();
        assert!(matches!(shelf.complete(&offer), Err(Trouble::Hash)), "{wrong:?}");
        assert_eq!(edge.there(), [""; 0]);
    }
    // What was begun of another bundle is no beginning of this one.
    let mut shelf = edge.shelf();
    shelf.begin(&offer).unwrap();
    shelf.add(b"all").unwrap();
    assert_eq!(shelf.begin(&super::tests::offer(b"another", 1)).unwrap(), Begun::Has(0));
    shelf.clear();
    shelf.clear();
    assert_eq!(edge.there(), [""; 0]);
}

#[test]
fn what_is_not_for_here_or_has_no_room_is_not_begun() {
    let (edge, good) = (Box7::new(), offer(WHOLE, 1));
    let table = [
        (Offer { image: "onepress-rack".into(), ..good.clone() }, "this box runs onepress-edge-x86"),
        (Offer { version: "1.1".parse().unwrap(), ..good.clone() }, "older than 1.2"),
        (Offer { bytes: 1 << 50, ..good.clone() }, "no space for the update"),
    ];
    for (offer, why) in table {
        let error = edge.shelf().begin(&offer).expect_err(why).to_string();
        assert!(error.contains(why), "{error}");
    }
    fs::remove_dir_all(edge.place().incoming()).unwrap();
    assert!(matches!(edge.shelf().begin(&good), Err(Trouble::NoFolder)));
    let elsewhere = tempfile::tempdir().unwrap();
    let mut shelf = Shelf::new(&Place::new(elsewhere.path(), elsewhere.path()));
    assert!(matches!(shelf.begin(&good), Err(Trouble::NoFolder)));
}

#[test]
fn a_link_that_somebody_has_laid_is_not_followed() {
    let (edge, offer) = (Box7::new(), offer(WHOLE, 1));
    let victim = edge.dir.path().join("spool");
    fs::write(&victim, "presses").unwrap();
    std::os::unix::fs::symlink(&victim, edge.place().incoming().join(PART)).unwrap();
    assert!(matches!(edge.shelf().begin(&offer), Err(Trouble::Disk(_))));
    assert_eq!(fs::read(&victim).unwrap(), b"presses");
}
