//! What supervision costs a rack at rest: processor time and memory with every box connected on both its ways,
//! beside a bare QUIC server that carries as many connections at the same time.

use super::centre::Centre;
use super::floor::Server;
use super::generator::{Generator, Load, SETTLE};
use anyhow::Context;
use onepress::rig::pause;
use std::path::Path;
use std::time::{Duration, Instant};

/// `USER_HZ`: the unit of times in /proc/PID/stat (proc(5)); 100 on every architecture that Debian has.
const TICKS: u64 = 100;

/// A process over a while.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// Share of one processor.
    pub(crate) share: f64,
    /// Resident memory before anybody was connected, in kB.
    pub(crate) memory_before: u64,
    /// At the end.
    pub(crate) memory: u64,
}

/// One load on both servers at once.
pub(crate) struct Idle {
    pub(crate) what: &'static str,
    pub(crate) desk: Cost,
    pub(crate) desk_generator: Cost,
    pub(crate) floor: Cost,
    pub(crate) floor_generator: Cost,
}

/// What is to be held, and how long.
pub(crate) struct Plan<'a> {
    pub(crate) boxes: usize,
    pub(crate) window: Duration,
    pub(crate) dir: &'a Path,
}

/// The loads one after the other, each on a fresh desk and a fresh server.
pub(crate) fn measure(
    centre: &mut Centre,
    plan: &Plan<'_>,
    mut tell: impl FnMut(&str),
) -> anyhow::Result<Vec<Idle>> {
    let loads = [("keep-alives only", Load::Links), ("with status reports", Load::Reporting)];
    let mut all = Vec::new();
    for (what, load) in loads {
        tell(what);
        centre.rack.daemon().stop()?;
        centre.rack.restart()?;
        pause(SETTLE);
        let server = Server::start(plan.dir)?;
        let ids = [centre.rack.daemon().id(), server.id()];
        let before = ids.map(memory);
        let desk = Generator::start(plan.dir, plan.boxes, load)?;
        let bare = Generator::start(plan.dir, plan.boxes, Load::Bare { port: server.port() })?;
        pause(SETTLE);
        let [desk, floor, desk_generator, floor_generator] =
            watch([ids[0], ids[1], desk.id(), bare.id()], plan.window)?;
        let [before_desk, before_floor] = before;
        all.push(Idle {
            what,
            desk: Cost { memory_before: before_desk?, ..desk },
            floor: Cost { memory_before: before_floor?, ..floor },
            desk_generator,
            floor_generator,
        });
    }
    Ok(all)
}

fn watch<const N: usize>(ids: [u32; N], window: Duration) -> anyhow::Result<[Cost; N]> {
    let (begun, before) = (Instant::now(), ids.map(time));
    pause(window);
    let (span, after) = (begun.elapsed(), ids.map(time));
    let mut costs = [Cost::default(); N];
    for (place, (before, after)) in before.into_iter().zip(after).enumerate() {
        let used = after?.saturating_sub(before?);
        let share = used.as_secs_f64() / span.as_secs_f64();
        costs[place] = Cost { share, memory_before: 0, memory: memory(ids[place])? };
    }
    Ok(costs)
}

/// Processor time of a process, user and system.
fn time(id: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).context("a measured process has gone")?;
    // The name, in brackets, may hold anything; utime and stime are the 12th and 13th words after it.
    let rest = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 =
        rest.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 1000 / TICKS))
}

/// Resident memory in kB.
fn memory(id: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_process_costs_and_an_idle_one_does_not() {
        let me = std::process::id();
        let before = time(me).unwrap();
        let end = Instant::now() + Duration::from_millis(200);
        while Instant::now() < end {}
        assert!(time(me).unwrap() > before);
        assert!(memory(me).unwrap() > 100);
    }
}
