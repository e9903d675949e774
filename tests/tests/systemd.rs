//! The installed units, as systemd itself judges them.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use onepress_tests::install::{Installed, output, programs, workspace};
use onepress_tests::sandbox;

const UNITS: &str = "/usr/lib/systemd/system";

/// As `--threshold` wants it: 1.5 of 10.
const HIGHEST_EXPOSURE: &str = "15";

/// What may be exposed more, and why.
const EXPOSED: [(&str, &str); 1] = [
    // It writes partitions and their table, through programs of others, as root.
    ("onepress-update.service", "19"),
];

/// What systemd before 254 says of the stepped back-off; it ignores both keys, as 10-life.conf says.
const TOO_NEW_FOR_SOME: [&str; 2] = [
    "Unknown key 'RestartSteps' in section [Service]",
    "Unknown key 'RestartMaxDelaySec' in section [Service]",
];

#[test]
fn every_unit_verifies_without_a_word() {
    let installed = with_the_machine_s_own_units();
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no", "--recursive-errors=no"]).arg(root(&installed));
    verify.args(units(&installed));
    let (_, said) = output(&mut verify);
    let complaints: Vec<_> =
        said.lines().filter(|line| !TOO_NEW_FOR_SOME.iter().any(|known| line.contains(known))).collect();
    assert_eq!(complaints, [""; 0]);
}

#[test]
fn no_daemon_is_exposed_above_the_bar() {
    let installed = Installed::new();
    for service in installed.files(UNITS, ".service") {
        let own = EXPOSED.iter().find(|(unit, _)| *unit == name(&service));
        let highest = format!("--threshold={}", own.map_or(HIGHEST_EXPOSURE, |(_, highest)| highest));
        let mut security = Command::new("systemd-analyze");
        security.args(["security", "--offline=true", "--no-pager", &highest]).arg(root(&installed));
        let (good, said) = output(security.arg(name(&service)));
        println!("{}", said.lines().last().unwrap_or_default());
        assert!(good, "{}: {said}", name(&service));
    }
}

#[test]
fn every_daemon_started_is_a_program_that_is_built_and_installed() {
    let installed = Installed::new();
    let services = installed.files(UNITS, ".service");
    assert!(services.len() >= 3, "{services:?}");
    for service in services {
        let [command] = &values(&service, "ExecStart")[..] else {
            panic!("{service:?}: one ExecStart, please")
        };
        let binary = command.split(' ').next().unwrap_or_default();
        assert!(installed.at(binary).exists(), "{binary} is not installed");
        assert!(programs().contains(&binary.replace("/usr/bin/", "")), "nothing builds {binary}");
    }
}

#[test]
fn each_daemon_asks_for_the_sockets_of_its_units_and_no_others() {
    let installed = Installed::new();
    let services = installed.files(UNITS, ".service");
    let daemons =
        services.iter().map(|service| name(service).replace("onepress-", "").replace(".service", ""));
    let asked: BTreeMap<_, _> =
        daemons.clone().map(|daemon| (daemon.clone(), asked(&source(&daemon)))).collect();
    let given: BTreeMap<_, _> = daemons.map(|daemon| (daemon.clone(), given(&installed, &daemon))).collect();
    assert_eq!(asked, given);
}

#[test]
fn a_socket_outlives_its_daemon_and_is_there_before_it() {
    let installed = Installed::new();
    for socket in installed.files(UNITS, ".socket") {
        let service = installed.at(&format!("{UNITS}/{}", values(&socket, "Service").join("")));
        for key in ["Requires", "After"] {
            let named = values(&service, key).join(" ");
            assert!(named.split(' ').any(|unit| unit == name(&socket)), "{service:?}: {key}={named}");
        }
        assert_eq!(values(&socket, "TriggerLimitIntervalSec"), ["0"], "{socket:?}");
    }
}

#[test]
fn every_daemon_and_socket_belongs_to_a_role_and_no_role_names_what_is_not_there() {
    let installed = Installed::new();
    let targets = installed.files(UNITS, ".target");
    let wanted: BTreeSet<String> =
        targets.iter().flat_map(|target| words(&values(target, "Wants"))).collect();
    let there: BTreeSet<String> =
        units(&installed).into_iter().filter(|unit| !unit.ends_with(".target")).collect();
    // Some jobs are started by what happens to another unit of the role.
    let started: BTreeSet<String> = there.iter().flat_map(|unit| started(&installed, unit)).collect();
    assert!(started.is_subset(&there), "{started:?}");
    assert_eq!(wanted, &there - &started);
}

/// What a unit starts when it fails, or when the path it watches is there.
fn started(installed: &Installed, unit: &str) -> Vec<String> {
    let file = installed.at(&format!("{UNITS}/{unit}"));
    let watched = unit.strip_suffix(".path").map(|name| format!("{name}.service"));
    words(&values(&file, "OnFailure")).into_iter().chain(watched).collect()
}

/// A drop-in counts more than the unit: what the shared ones say cannot be said otherwise in a unit, only in a drop-in of
/// its own with a later name.
#[test]
fn no_unit_says_what_the_shared_drop_ins_overrule() {
    let installed = Installed::new();
    for service in installed.files(UNITS, ".service") {
        let ruling = drop_ins(&installed, &name(&service)).into_iter().filter(|file| name(file) != OWN);
        let ruled: BTreeSet<String> = ruling.flat_map(|file| keys(&file)).collect();
        assert!(ruled.contains("PrivateDevices"), "{service:?}: {ruled:?}");
        let said = keys(&service);
        let overruled: Vec<_> = said.intersection(&ruled).collect();
        assert!(overruled.is_empty(), "{service:?}: {overruled:?} belong into its own {OWN}");
    }
}

/// What a unit opens again; its name is later than those of the shared ones.
const OWN: &str = "60-opens.conf";

/// The drop-ins that count for a unit: of files with one name, that in the folder nearest to the unit.
fn drop_ins(installed: &Installed, unit: &str) -> Vec<PathBuf> {
    let stem = unit.trim_end_matches(".service");
    let shorter = stem.match_indices('-').map(|(at, _)| format!("{}.service.d", &stem[..=at]));
    let folders = shorter.chain([format!("{unit}.d")]).map(|folder| format!("{UNITS}/{folder}"));
    let folders = folders.filter(|folder| installed.at(folder).exists());
    let files = folders.flat_map(|folder| installed.files(&folder, ".conf"));
    files.map(|file| (name(&file), file)).collect::<BTreeMap<_, _>>().into_values().collect()
}

/// systemd looks up a class of devices in /proc/devices when it starts a unit, and what is not there then stays closed:
/// seen in a virtual machine, where a serial adapter's driver was loaded by the adapter, after the daemon.
#[test]
fn a_class_of_devices_that_a_driver_brings_is_there_before_the_daemons() {
    let installed = Installed::new();
    let file = installed.at("/usr/lib/modules-load.d/onepress.conf");
    let loaded = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    let loaded: BTreeSet<&str> = loaded.lines().filter(|line| !line.starts_with('#')).collect();
    let driver = |class: &str| match class {
        "ttyUSB" => Some("usbserial"),
        "ttyACM" => Some("cdc_acm"),
        "alsa" => Some("snd"),
        // Part of every kernel that has them.
        "gpiochip" | "ttyS" | "ttyAMA" => None,
        other => panic!("which driver makes {other}? Say it here and in systemd/onepress.modules"),
    };
    for unit in units(&installed) {
        for opened in drop_ins(&installed, &unit).iter().flat_map(|file| values(file, "DeviceAllow")) {
            let class = opened.split_whitespace().next().and_then(|device| device.strip_prefix("char-"));
            let missing = class.and_then(driver).filter(|driver| !loaded.contains(driver));
            assert_eq!(missing, None, "{unit}: {opened}");
        }
    }
}

/// Read by systemd itself: with the daemons' way of living, which restarts always, it would refuse a job.
#[test]
fn a_job_lives_as_a_job() {
    let installed = with_the_machine_s_own_units();
    for job in [
        "onepress-health",
        "onepress-seal",
        "onepress-update",
        "onepress-update-settle",
        "onepress-update-abandon",
    ] {
        let more = installed.at(&format!("{UNITS}/{job}.service.d/20-probe.conf"));
        std::fs::create_dir_all(more.parent().expect("a folder")).expect("made");
        std::fs::write(&more, "[Service]\nType=oneshot\n").expect("written");
        let mut verify = Command::new("systemd-analyze");
        verify.args(["verify", "--man=no", "--recursive-errors=no"]).arg(root(&installed));
        let (_, said) = output(verify.arg(format!("{job}.service")));
        assert!(!said.contains("Restart="), "{job}: {said}");
    }
}

/// The keys that a unit or drop-in sets.
fn keys(file: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    let keys = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    keys.map(|(key, _)| key.to_owned()).collect()
}

#[test]
fn every_user_and_group_named_is_made() {
    let installed = Installed::new();
    let root = installed.root();
    let (good, said) =
        sandbox::run("systemd-sysusers --root=$R && systemd-tmpfiles --root=$R --create", &[("R", &root)]);
    assert!(good, "{said}");
    let users = std::fs::read_to_string(installed.at("/etc/passwd")).expect("users");
    let groups = std::fs::read_to_string(installed.at("/etc/group")).expect("groups");
    for unit in units(&installed) {
        let unit = installed.at(&format!("{UNITS}/{unit}"));
        let wanted =
            |keys: &[&str]| words(&keys.iter().flat_map(|key| values(&unit, key)).collect::<Vec<_>>());
        assert!(wanted(&["User"]).iter().all(|user| has(&users, user)), "{unit:?}");
        let mut wanted_groups = wanted(&["SupplementaryGroups", "SocketGroup"]).into_iter();
        assert!(wanted_groups.all(|group| has(&groups, &group)), "{unit:?}");
    }
    assert!(installed.at("/var/lib/onepress").is_dir() && installed.at("/run/onepress").is_dir());
    // The daemon that fetches updates is not root: it may lay one there, and not see or touch what others lay.
    let incoming = "/var/lib/onepress/update/incoming";
    let mode = std::fs::metadata(installed.at(incoming)).expect("made").permissions().mode();
    assert_eq!(mode & 0o7777, 0o1733);
    let button = installed.at(&format!("{UNITS}/onepress-button.service"));
    assert_eq!(values(&button, "ReadWritePaths"), [format!("-{incoming}")]);
}

#[test]
fn an_example_becomes_a_configuration_once_and_never_again() {
    let installed = Installed::new();
    let example = installed.at("/probe.toml.example");
    let config = installed.at("/etc/onepress/probe.toml");
    std::fs::write(&example, "# as shipped\n").expect("written");
    let examples = [format!("INSTALLED_EXAMPLES={}", example.display())];

    installed.again(&examples);
    assert_eq!(std::fs::read_to_string(&config).expect("installed"), "# as shipped\n");

    std::fs::write(&config, "# somebody's work\n").expect("written");
    installed.again(&examples);
    assert_eq!(std::fs::read_to_string(&config).expect("still there"), "# somebody's work\n");
}

/// Units name `sysinit.target` and others, which come from systemd's own package.
fn with_the_machine_s_own_units() -> Installed {
    let installed = Installed::new();
    let mut copy = Command::new("cp");
    copy.args(["--recursive", "--no-clobber", "--no-dereference"]);
    let (_, said) = output(copy.arg("/usr/lib/systemd/system").arg(installed.at("/usr/lib/systemd")));
    assert!(installed.at(UNITS).join("sysinit.target").exists(), "{said}");
    installed
}

fn units(installed: &Installed) -> Vec<String> {
    let endings = [".service", ".socket", ".target", ".path"];
    let files = endings.iter().flat_map(|ending| installed.files(UNITS, ending));
    files.map(|file| name(&file)).filter(|name| name.starts_with("onepress-")).collect()
}

fn root(installed: &Installed) -> String {
    format!("--root={}", installed.root().display())
}

fn name(path: &Path) -> String {
    path.file_name().expect("a file").to_string_lossy().into_owned()
}

/// All values of a key in a unit file.
fn values(unit: &Path, key: &str) -> Vec<String> {
    let text = std::fs::read_to_string(unit).unwrap_or_else(|error| panic!("{unit:?}: {error}"));
    let start = format!("{key}=");
    text.lines().filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect()
}

fn words(lines: &[String]) -> Vec<String> {
    lines.iter().flat_map(|line| line.split_whitespace()).map(str::to_owned).collect()
}

/// The calls into `unit::sockets` that a daemon's socket units answer.
fn given(installed: &Installed, daemon: &str) -> BTreeSet<String> {
    let service = [format!("onepress-{daemon}.service")];
    let sockets = installed.files(UNITS, ".socket").into_iter();
    sockets.filter(|socket| values(socket, "Service") == service).map(|socket| call(&socket)).collect()
}

/// The call into `unit::sockets` that gives this socket.
fn call(socket: &Path) -> String {
    let kind = match values(socket, "ListenStream").first() {
        None => "udp",
        Some(path) if path.starts_with('/') => "unix",
        Some(_) => "tcp",
    };
    format!("{kind}(\"{}\")", values(socket, "FileDescriptorName").join(""))
}

/// The calls into `unit::sockets` that a source makes.
fn asked(source: &str) -> BTreeSet<String> {
    let calls = source.split("unit::sockets::").skip(1);
    calls.filter_map(|call| Some(format!("{})", call.split_once(')')?.0))).collect()
}

/// All Rust of a daemon in one string.
fn source(daemon: &str) -> String {
    let mut grep = Command::new("grep");
    grep.args(["-rh", "", "--include=*.rs"]).arg(PathBuf::from("daemons").join(daemon).join("src"));
    output(grep.current_dir(workspace())).1
}

fn has(database: &str, name: &str) -> bool {
    database.lines().any(|line| line.split(':').next() == Some(name))
}
