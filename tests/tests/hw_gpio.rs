//! The GPIO part of `hw` in a real kernel, through the board file `gpio-sim.toml` and the example `lines`.

use std::path::{Path, PathBuf};

use onepress_tests::uml::Uml;

const LINES_OF_THE_BOARD: &str = "
    chip box BTN1_NO BTN1_NC BTN2_NO BTN2_NC TAMPER MAINS_OK BATT_LOW WALL_ACK RED AMBER BLUE GREEN SIREN LAMP
    pull BTN1_NC up
    mkfifo orders
    $LINES $BOARD button-1-no,button-1-nc red,siren <orders >log 2>&1 &
    pid=$!
    exec 3>orders
    eventually 20 says log ready
";

fn with_the_board(story: &str) -> String {
    let end = "exec 3>&-; wait $pid; cat log";
    Uml::script(&format!("{LINES_OF_THE_BOARD}\n{story}\n{end}"))
        .program("LINES", &example("lines"))
        .path("BOARD", &Path::new(env!("CARGO_MANIFEST_DIR")).join("../hw/boards/gpio-sim.toml"))
        .run()
        .success()
}

#[test]
fn levels_at_start_then_each_contact_of_a_press() {
    let said = with_the_board(
        "
        pull BTN1_NC down
        eventually 10 says log 'edge button-1-nc off,'
        pull BTN1_NO up
        eventually 10 says log 'edge button-1-no on,'
        ",
    );
    assert!(said.contains("gpiochip0 button-1-no off\ngpiochip0 button-1-nc on\nready"), "{said}");
    assert!(!said.contains("missed"), "{said}");
}

#[test]
fn an_output_is_driven_alone_and_supervised() {
    let said = with_the_board(
        "
        echo 'siren on' >&3
        eventually 10 reads SIREN 1
        reads RED 0
        echo supervise >&3
        eventually 10 says log AsCommanded
        echo 'siren off' >&3
        eventually 10 reads SIREN 0
        ",
    );
    assert!(said.contains("siren is on"), "{said}");
}

#[test]
fn a_held_line_names_its_holder() {
    let said = with_the_board("$LINES $BOARD tamper,button-1-no - </dev/null || echo refused");
    let told = "Retryable: line \"button-1-no\" on gpiochip0 is held by \"lines\"\nrefused";
    assert!(said.contains(told), "{said}");
}

#[test]
fn edges_lost_in_the_kernel_are_told_as_missed_with_the_level_of_every_line() {
    let said = with_the_board(
        "
        kill -STOP $pid
        line BTN1_NO
        # The simulated interrupt folds changes that come too fast: go on until the kernel's 256 events are full.
        read -r begun rest </proc/uptime
        while read -r now rest </proc/uptime && [ $((${now%.*} - ${begun%.*})) -lt 8 ]; do
            echo pull-up >$directory/pull; echo pull-down >$directory/pull
        done
        echo pull-up >$directory/pull
        kill -CONT $pid
        eventually 20 says log 'edge button-1-nc on missed'
        eventually 20 says log 'edge button-1-no on missed'
        ",
    );
    // The buffer's 256 events are all there, and only the first of them comes after a gap.
    let of_the_contact: Vec<_> = said.lines().filter(|line| line.starts_with("edge button-1-no")).collect();
    assert!(of_the_contact.len() > 256, "{said}");
    assert!(of_the_contact[0].contains("missed") && !of_the_contact[1].contains("missed"), "{said}");
}

/// Cargo builds examples beside the tests: `target/<profile>/{deps,examples}/`.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("own path");
    test.parent().and_then(|deps| deps.parent()).expect("profile directory").join("examples").join(name)
}
