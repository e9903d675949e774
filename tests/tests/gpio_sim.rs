//! Presses and sirens through a real kernel's GPIO character device, with gpio-sim for the wires.

use std::path::PathBuf;
use std::time::Duration;

use onepress_tests::uml::Uml;

#[test]
fn a_press_is_seen_as_an_edge_and_the_siren_line_is_driven() {
    let said = Uml::script(
        "
        chip box BTN1_NO BTN1_NC - SIREN
        mkfifo hold
        $PRESS BTN1_NO SIREN <hold >log &
        exec 3>hold
        eventually 10 says log 'ready, BTN1_NO Inactive'
        reads SIREN 0
        pull BTN1_NO up
        eventually 10 says log 'Rising edge 1 of BTN1_NO'
        reads SIREN 1
        reads BTN1_NC 0
        exec 3>&-
        wait $!
        cat log
        ",
    )
    .program("PRESS", &example("press"))
    .run();
    println!("{:?}", said.took);
    assert!(said.success().contains("Rising edge 1 of BTN1_NO, SIREN driven"));
}

#[test]
fn loopback_has_both_families_and_a_bad_line_between_two_ends_can_be_had() {
    let said = Uml::script(
        "
        ip -brief addr show lo
        ip netns add site
        ip link add rack type veth peer name box netns site
        tc qdisc add dev rack root netem delay 30ms loss 10%
        tc qdisc show dev rack
        ",
    )
    .run()
    .success();
    assert!(said.contains("127.0.0.1/8") && said.contains("::1/128") && said.contains("loss 10%"), "{said}");
}

#[test]
fn randomness_is_there_at_once_for_the_first_key_ever_made() {
    let said = Uml::script("timeout 10 head -c 32 /dev/random | wc -c").run().success();
    assert_eq!(said, "32\n");
}

#[test]
fn a_script_that_fails_says_where_and_one_that_hangs_is_ended() {
    let failed = Uml::script("echo before; pull NOTHING up; echo after").run();
    assert_eq!(failed.code, Some(1), "{}", failed.text);
    assert!(
        failed.text.contains("no line is named NOTHING") && !failed.text.contains("after"),
        "{}",
        failed.text
    );

    let waited = Uml::script("eventually 2 says nothing text").run();
    assert_eq!((waited.code, waited.text.as_str()), (Some(1), "never: says nothing text\n"));

    let hung = Uml::script("echo begun; sleep 600").patience(Duration::from_secs(5)).run();
    assert_eq!((hung.code, hung.text.as_str()), (None, "begun\n"));
}

#[test]
fn nothing_is_written_on_the_machine_but_in_scratch() {
    let said = Uml::script(
        "for place in /etc /usr /root /var/log; do touch $place/uml-was-here && exit 9; done; ls -d /tmp/*",
    )
    .run();
    assert_eq!(said.text.matches("Read-only file system").count(), 4, "{}", said.text);
    assert!(!std::path::Path::new("/etc/uml-was-here").exists());
}

/// Cargo builds examples beside the tests: `target/<profile>/{deps,examples}/`.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("own path");
    test.parent().and_then(|deps| deps.parent()).expect("profile directory").join("examples").join(name)
}
