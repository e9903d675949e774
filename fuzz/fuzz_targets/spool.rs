//! The spool of a box: whatever the file holds, what is good is kept, goes on being kept, and survives a rewrite.
//!
//! Text: `j` and records as lines of JSON, to which length and hash are added. Anything else is the file as it is.

#![no_main]

use alarm::spool::{Kept, Spool};
use alarm::{Fault, Notice, NoticeId, Wall, What};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

fuzz_target!(|bytes: &[u8]| {
    let file = match bytes {
        [b'j', lines @ ..] => lines.split(|byte| *byte == b'\n').flat_map(record).collect(),
        _ => bytes.to_vec(),
    };
    let replay = Spool::replay(&file);
    assert_eq!(replay.torn, replay.good < file.len());
    goes_on(replay.spool, file[..replay.good].to_vec());
});

fn record(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("inputs are short").to_be_bytes();
    [&length, &Sha256::digest(body)[..8], body].concat()
}

fn goes_on(mut spool: Spool, mut file: Vec<u8>) {
    same(&spool, &file);
    let Kept::Append(more) = spool.keep(notice()) else { panic!("a fault joins no alarm") };
    file.extend(more);
    same(&spool, &file);
    let rewritten = spool.rewritten();
    same(&spool, &rewritten);
    assert!(Spool::replay(&rewritten).spool.rewritten() == rewritten, "a rewrite changes what it rewrites");
    for waiting in spool.waiting() {
        file.extend(spool.done(waiting.id).expect("it waits"));
    }
    same(&spool, &file);
    assert!(spool.is_empty());
}

/// The bytes replay to this spool.
fn same(spool: &Spool, file: &[u8]) {
    let replay = Spool::replay(file);
    assert_eq!((replay.good, replay.torn), (file.len(), false));
    assert_eq!((replay.spool.waiting(), replay.spool.len()), (spool.waiting(), spool.len()));
    for point in spool.waiting().iter().filter_map(|notice| notice.point.as_ref()) {
        assert_eq!(replay.spool.held(point), spool.held(point), "{point}");
        assert!(replay.spool.standing(Some(point)).eq(spool.standing(Some(point))), "{point}");
    }
}

fn notice() -> Notice {
    let what = What::Fault { fault: Fault::WireCut };
    let id = NoticeId::new(1 << 40, [0xA5; 10]);
    Notice { id, point: None, at: Wall::from_millis(1 << 40), clock_sure: true, what }
}
