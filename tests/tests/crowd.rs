//! Many incidents with live media both ways at once: all is recorded, and nothing is late on the alarm path. The long
//! form, with 200 for a minute, is `make crowd`.

use onepress_tests::crowd::{SHORT, play};

#[test]
fn incidents_with_pictures_and_voices_at_once() {
    let outcome = play(SHORT).expect("all arrives in time and is recorded whole");
    eprintln!("{}", outcome.told());
}
