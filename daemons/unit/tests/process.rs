//! A whole process of the `minimal` example, started the way systemd starts a unit.

mod manager;

use std::time::Duration;

use manager::{Manager, run};

#[test]
fn a_daemon_says_ready_feeds_the_watchdog_and_stops_when_asked() {
    let manager = Manager::new("");
    let mut daemon = manager.start(&[("WATCHDOG_USEC", "100000")]);
    manager.hears("READY=1");
    manager.hears("WATCHDOG=1");
    manager.hears("WATCHDOG=1");
    daemon.signal("TERM");
    manager.hears("STOPPING=1");
    let (code, log) = daemon.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("stopping signal=\"SIGTERM\""), "{log}");
}

#[test]
fn a_stuck_part_starves_the_watchdog_and_is_named() {
    let manager = Manager::new("beat-ms = 60000");
    let mut daemon = manager.start(&[("WATCHDOG_USEC", "100000")]);
    manager.hears("READY=1");
    manager.forget_for(Duration::from_millis(500));
    assert!(!manager.hears_within("WATCHDOG=1", Duration::from_millis(500)), "fed though stuck");
    daemon.signal("TERM");
    let (_, log) = daemon.end();
    assert!(log.contains("part=\"beating\""), "{log}");
}

#[test]
fn a_socket_of_the_manager_is_used_by_its_name() {
    let manager = Manager::new("");
    let (mut daemon, address) = manager.start_with_socket("link");
    manager.hears(&format!("STATUS=listening on {address}"));
    daemon.signal("INT");
    assert_eq!(daemon.end().0, Some(0));
}

#[test]
fn the_journal_gets_levels_and_no_times() {
    let manager = Manager::new("");
    let log = manager.journal_of_a_short_life();
    assert!(
        log.lines().all(|line| line.starts_with("<6>minimal: ") || line.starts_with("<6>unit::")),
        "{log}"
    );
    assert!(log.contains("minimal starts"), "{log}");
}

#[test]
fn check_prints_what_is_in_force() {
    let (code, out, _) = run("", &["--check"]);
    assert_eq!((code, out.as_str()), (Some(0), "beat-ms = 10\n"));
}

#[test]
fn a_wrong_file_is_78_and_says_where() {
    for args in [&["--check"][..], &[]] {
        let (code, out, err) = run("\nbeat-ms = 0\n", args);
        assert_eq!((code, out.as_str()), (Some(78), ""), "{err}");
        assert!(err.ends_with(":2: beat-ms: is 0; give 1 or more\n"), "{err}");
    }
}

#[test]
fn a_wrong_command_line_is_64() {
    let (code, _, err) = run("", &["--chekc"]);
    assert_eq!(code, Some(64), "{err}");
    assert_eq!(err, "unknown argument `--chekc`; `--help` lists what there is\n");
}

#[test]
fn version_and_help_need_no_file() {
    let (code, out, _) = run("not toml", &["--version"]);
    assert_eq!((code, out.as_str()), (Some(0), concat!("minimal ", env!("CARGO_PKG_VERSION"), "\n")));
    let (code, out, _) = run("not toml", &["--help"]);
    assert!(code == Some(0) && out.contains("--check"), "{out}");
}
