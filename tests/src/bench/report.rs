//! The numbers as tables, for the terminal and for bench/RESULTS.md.

use super::idle::{Cost, Idle};
use super::numbers::{Times, ratio, text};
use super::press::Rounds;
use super::storm::{PRESSES, Storm};
use std::fmt::Write;
use std::process::Command;
use std::time::Duration;

/// Where it was measured, and how busy that was.
pub(crate) struct Scene {
    pub(crate) command: &'static str,
    pub(crate) load_before: String,
    pub(crate) load_after: String,
    pub(crate) rounds: usize,
    pub(crate) boxes: usize,
    pub(crate) window: Duration,
}

/// The load averages of 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// The page with this section instead of the one of the same title, or after all others.
pub(crate) fn replace(page: &str, title: &str, section: &str) -> String {
    let (before, rest) = page.split_once(title).unwrap_or((page, ""));
    let after = rest.find("\n## ").map(|at| &rest[at..]).unwrap_or_default();
    format!("{}\n\n{}\n{after}", before.trim_end(), section.trim_end())
}

/// Everything, as one text.
pub(crate) fn report(scene: &Scene, rounds: &Rounds, storms: &[Storm], idle: &[Idle]) -> String {
    let mut page = String::from("# Measured\n\n");
    page.push_str(&machine(scene));
    page.push_str(&presses(rounds));
    page.push_str(&storm(storms));
    page.push_str(&at_rest(scene, idle));
    page.push_str(METHOD);
    page
}

fn machine(scene: &Scene) -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split(": ").nth(1).unwrap_or("unknown").to_owned()
    };
    let processors = info.lines().filter(|line| line.starts_with("processor")).count();
    let said = |program: &str, argument: &str| {
        let output = Command::new(program).arg("-u").args(argument.split_whitespace()).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "- command: `{}`\n- date: {} UTC\n- machine: {processors} x {}, Linux {}\n\
         - load average (1, 5, 15 minutes): {} before, {} after\n- rounds: {}\n\n",
        scene.command,
        said("date", "+%Y-%m-%dT%H:%M"),
        field("model name"),
        kernel.trim(),
        scene.load_before,
        scene.load_after,
        scene.rounds,
    )
}

const HEAD: &str = "| | n | min | p50 | p99 | max | floor p50 | floor p99 | p50 / floor | p99 / floor |\n\
                    |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";

fn row(page: &mut String, what: &str, times: &Times, floor: Option<&Times>) {
    let of = |percent| text(times.percentile(percent));
    let (min, max) = (text(times.min()), text(times.max()));
    let _ = write!(page, "| {what} | {} | {min} | {} | {} | {max} |", times.len(), of(50), of(99));
    let _ = match floor {
        None => writeln!(page, " | | | |"),
        Some(floor) => writeln!(
            page,
            " {} | {} | {} | {} |",
            text(floor.percentile(50)),
            text(floor.percentile(99)),
            ratio(times.percentile(50), floor.percentile(50)),
            ratio(times.percentile(99), floor.percentile(99)),
        ),
    };
}

fn presses(rounds: &Rounds) -> String {
    let one_way = rounds.round_trip.halved();
    let (fsync, trip, coil) = (&rounds.fsync, &rounds.round_trip, &rounds.coil);
    let from_box = Times::sum(&[fsync, &one_way, &one_way, coil]);
    let from_link = Times::sum(&[&one_way, &one_way, coil]);
    let mut page = format!("## Press to siren\n\n{HEAD}");
    row(
        &mut page,
        "finger on the button box (30 ms debounce and the serial frame in it)",
        &rounds.finger.siren,
        None,
    );
    row(&mut page, "software press at the box", &rounds.daemon.siren, Some(&from_box));
    row(&mut page, "notice from a link client (no box spool)", &rounds.client.siren, Some(&from_link));
    for peer in &rounds.peers {
        row(&mut page, &peer.name, &peer.times.siren, Some(&from_link));
    }
    page.push_str(&format!("\n## Press to seat\n\n{HEAD}"));
    row(&mut page, "finger on the button box", &rounds.finger.seat, None);
    row(&mut page, "software press at the box", &rounds.daemon.seat, Some(&Times::sum(&[fsync, &one_way])));
    row(&mut page, "notice from a link client", &rounds.client.seat, Some(&one_way));
    page.push_str(&format!("\n## Press to ACK\n\n{HEAD}"));
    let durable = Times::sum(&[fsync, trip]);
    row(
        &mut page,
        "notice from a link client (in the journal, synced)",
        &rounds.client.acked,
        Some(&durable),
    );
    for peer in &rounds.peers {
        row(&mut page, &format!("{} ({})", peer.name, peer.promise), &peer.times.acked, Some(&durable));
    }
    page.push_str(&format!("\n## Floors\n\n{HEAD}"));
    row(&mut page, "append and fdatasync", fsync, None);
    row(&mut page, "bare QUIC round trip", trip, None);
    row(&mut page, "one coil over Modbus, acknowledge button polled meanwhile", coil, None);
    row(&mut page, "box fsync + two QUIC ways + coil", &from_box, None);
    row(&mut page, "two QUIC ways + coil", &from_link, None);
    row(&mut page, "fsync + QUIC round trip", &durable, None);
    page.push('\n');
    page
}

fn storm(storms: &[Storm]) -> String {
    let mut page = format!(
        "## Storm: {PRESSES} presses of {} boxes within one second, {} times\n\n\
         | | min | median | max |\n|---|--:|--:|--:|\n",
        super::storm::BOXES,
        storms.len()
    );
    let of = |look: &dyn Fn(&Storm) -> Duration| storms.iter().map(look).collect::<Times>();
    let lines: [(&str, Times); 10] = [
        ("first press to siren", of(&|storm| storm.siren)),
        ("last press to the wall's newest alarm", of(&|storm| storm.wall_told)),
        ("last press to a seat that has seen all", of(&|storm| storm.all_seen)),
        ("last press to a seat that knows all to be on the disk", of(&|storm| storm.all_seen_durable)),
        ("last press to the last ACK", of(&|storm| storm.all_acked)),
        ("each press to its ACK, p50", of(&|storm| storm.acked.percentile(50))),
        ("each press to its ACK, p99", of(&|storm| storm.acked.percentile(99))),
        ("floor: each record to its group's fsync, p50", of(&|storm| storm.floor.percentile(50))),
        ("floor: each record to its group's fsync, p99", of(&|storm| storm.floor.percentile(99))),
        ("floor: the last record to its fsync", of(&|storm| storm.floor.last())),
    ];
    for (what, times) in &lines {
        let cells = [times.min(), times.percentile(50), times.max()].map(text);
        let _ = writeln!(page, "| {what} | {} |", cells.join(" | "));
    }
    let groups = storms.iter().map(|storm| storm.floor_groups.to_string()).collect::<Vec<_>>().join(", ");
    let _ = writeln!(page, "\nGroups of the floor: {groups}.\n");
    page
}

fn at_rest(scene: &Scene, idle: &[Idle]) -> String {
    let mut page = format!(
        "## At rest: {} boxes on two paths, {} s\n\n\
         | | processor | per box | memory | per box | generator |\n|---|--:|--:|--:|--:|--:|\n",
        scene.boxes,
        scene.window.as_secs()
    );
    for idle in idle {
        cost(&mut page, &format!("desk, {}", idle.what), scene.boxes, &idle.desk, &idle.desk_generator);
        cost(
            &mut page,
            "floor: bare QUIC server, keep-alives",
            scene.boxes,
            &idle.floor,
            &idle.floor_generator,
        );
        let _ = writeln!(
            page,
            "| ratio | {:.2} | | | {:.2} | |",
            idle.desk.share / idle.floor.share,
            grown(&idle.desk) / grown(&idle.floor)
        );
    }
    page.push('\n');
    page
}

fn grown(cost: &Cost) -> f64 {
    cost.memory.saturating_sub(cost.memory_before) as f64
}

fn cost(page: &mut String, what: &str, boxes: usize, cost: &Cost, generator: &Cost) {
    let _ = writeln!(
        page,
        "| {what} | {:.1} % | {:.0} µs/s | {:.1} MB (from {:.1}) | {:.0} kB | {:.1} % |",
        cost.share * 100.0,
        cost.share * 1e6 / boxes as f64,
        cost.memory as f64 / 1e3,
        cost.memory_before as f64 / 1e3,
        grown(cost) / boxes as f64,
        generator.share * 100.0,
    );
}

const METHOD: &str = "## Method

The daemons are the release build, as processes, with simulated devices on pseudo-terminals and QUIC over loopback \
with mutual TLS. Nothing is pinned and nothing has a priority of its own. Presses, floors and brokers take turns in \
every round, with pauses of 60 to 100 ms between; each press is closed at the seat before the next one. All clocks are \
one process's monotonic clock.

- *Press*: when the contact's level is set (finger; the simulated box looks every 2 ms), when the request is begun on \
the control socket (software press), before the notice or message is sent (link client, brokers).
- *Siren*: when the relay board has taken the siren's coil. A pseudo-terminal has no baud rate: at 9600 baud the \
request alone takes 8 ms more, for all of them. The board's acknowledge button is polled every 20 ms on the same \
bus, as the wall daemon does, for the floor and the brokers too; Modbus wants 4 ms of silence after each exchange.
- *Seat*: when the server-sent event has been read. *ACK*: when the client has read it.
- *Sums of floors* are made in each round; their percentiles are those of the sums. A QUIC way is half a round trip \
of the same frame between two processes. An fsync is an append of the press's bytes and fdatasync on the same disk.
- *Brokers* do less: no box spool, no journal with a hash chain, no second path, no client certificate. Their ACK \
means what stands beside it. The floor beside them is that of the link client.
- *Storm*: every box sends a press every 100 ms, evenly spread. The floor is one thread that appends as many records \
at the same pace and syncs what has come.
- *At rest*: connections come from one process for the desk and one for the floor, at the same time; keep-alives \
every 0.5 s on one path and every 3 s on the other. Status reports every 10 s on both paths, as from the button \
daemon. Processor time is that of the server's process only; memory is VmRSS.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_takes_the_place_of_its_former_self_and_leaves_the_others_alone() {
        let page = "# Measured\n\n## One\n\n1\n\n## Two\n\n2\n";
        assert_eq!(replace(page, "## One", "## One\n\nx\n"), "# Measured\n\n## One\n\nx\n\n## Two\n\n2\n");
        assert_eq!(replace(page, "## Two", "## Two\n\nx\n"), "# Measured\n\n## One\n\n1\n\n## Two\n\nx\n");
        assert_eq!(replace("# Measured\n", "## New", "## New\n\nx\n"), "# Measured\n\n## New\n\nx\n");
    }
}
