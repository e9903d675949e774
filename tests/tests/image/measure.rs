//! What is measured in a machine, as ratios of one run: how soon a box watches its inputs, beside the same kernel and
//! systemd without our daemons. Figures go to the line `told:`; the appliance image's README has them.

use crate::centre::{Buttons, DISK, FIRST, built, serial_site};
use crate::configure;
use crate::parts::disk;
use crate::vm::{BOOT, Machine, Plan};
use std::path::Path;

/// Bar: longest time to "inputs supervised", in times of systemd alone.
const RATIO_MAX: f64 = 1.5;
/// What is ours, and starts by itself.
const OURS: [&str; 6] = [
    "button.service",
    "camera.service",
    "health.service",
    "update-settle.service",
    "update.path",
    "edge.target",
];

#[test]
fn inputs_are_supervised_soon_after_systemd_alone_would_be_up() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let image = built("edge-x86", FIRST, &format!("onepress-edge-x86_{FIRST}.raw"));
    let disk = disk(dir.path(), "box.raw", Some(&image), DISK);
    let buttons = Buttons::new();
    let mut site = start("first", &disk, &buttons, "");
    site.started();
    configure(&mut site, &serial_site());
    off(site);

    let masks: Vec<_> = OURS.iter().map(|unit| format!("systemd.mask=onepress-{unit}")).collect();
    let mut alone = start("alone", &disk, &buttons, &masks.join(" "));
    alone.started();
    assert_eq!(alone.run("grep -l '^onepress' /proc/[0-9]*/comm || true"), "");
    let (of_systemd, memory_alone) = (since_kernel(&mut alone, "multi-user.target"), memory(&mut alone));
    off(alone);

    let mut site = start("whole", &disk, &buttons, "");
    site.started();
    let supervised = since_kernel(&mut site, "onepress-button.service");
    let in_service = since_kernel(&mut site, "multi-user.target");
    site.eventually("systemctl is-active onepress-health", BOOT);
    let ratio = supervised / of_systemd;
    println!(
        "told: from the kernel's start: inputs supervised {supervised:.1} s, all up {in_service:.1} s, systemd alone \
         {of_systemd:.1} s: ratio {ratio:.2}; memory at rest {:.0} MiB, of which ours {:.0} MiB",
        memory(&mut site),
        memory(&mut site) - memory_alone
    );
    assert!(ratio <= RATIO_MAX, "{ratio:.2}");
}

fn start(name: &'static str, disk: &Path, buttons: &Buttons, arguments: &str) -> Machine {
    let plan = Plan::new(name).disk(disk).adapter("onepress-buttons0", buttons.line());
    if arguments.is_empty() { plan.boot() } else { plan.arguments(arguments).boot() }
}

fn off(mut site: Machine) {
    site.run("(sleep 1; systemctl poweroff) >/dev/null 2>&1 &");
    site.off(BOOT);
}

/// Seconds from the kernel's start until a unit was active.
fn since_kernel(site: &mut Machine, unit: &str) -> f64 {
    let command = format!("systemctl show --value -p ActiveEnterTimestampMonotonic {unit}");
    let micros: f64 = site.run(&command).trim().parse().expect("a number");
    assert!(micros > 0.0, "{unit} is not active");
    micros / 1e6
}

/// What is not free for others, MiB.
fn memory(site: &mut Machine) -> f64 {
    let table = site.run("cat /proc/meminfo");
    let of = |name: &str| {
        let line = table.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("a number") / 1024.0
    };
    of("MemTotal") - of("MemAvailable")
}
