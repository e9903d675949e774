use super::{eventually, launch, pause, tell, unpack};
use crate::lines::Lines;
use onepress::rig::{Daemon, Programs};
use std::path::Path;
use std::time::Duration;

/// What beacon and siren consist of, by the names of the light language.
const LIGHTS: [(&str, &str); 5] =
    [("red", "RED"), ("amber", "AMBER"), ("blue", "BLUE"), ("green", "GREEN"), ("siren", "SIREN")];
/// Flashing lamps are lit and dark for 250 ms each.
const TWO_FLASHES: usize = 50;
const LOOK: Duration = Duration::from_millis(20);
/// How long a finger stays on the acknowledge button.
const FINGER: Duration = Duration::from_millis(200);

/// How a lamp is lit; one that is dark is not named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Light {
    Steady,
    Flashing,
}

/// The wall of the command centre.
pub(crate) struct Wall {
    lines: Lines,
    daemon: Daemon,
}

impl Wall {
    pub(super) fn start(programs: &Programs, dir: &Path, ticket: &str) -> Self {
        let (dir, lines) = unpack(programs, dir, "wall", ticket);
        let config = format!(
            "board = {:?}\nstate-dir = {dir:?}\nticket = {:?}\ncontrol = {:?}\n\
             [[path]]\nid = \"wired\"\nkind = \"wired\"\n",
            dir.join("board.toml"),
            dir.join("ticket"),
            dir.join("wall.sock"),
        );
        std::fs::write(dir.join("wall.toml"), config).expect("written");
        let daemon = launch(programs, "onepress-wall", &dir.join("wall.toml"), &dir);
        Self { lines, daemon }
    }

    /// Waits until these are lit, so, and nothing else is.
    pub(crate) fn shows(&self, lit: &[(&str, Light)]) {
        let mut seen = Vec::new();
        eventually(&format!("the wall shows {lit:?}"), || {
            seen = self.look();
            (seen == lit).then_some(())
        });
    }

    fn look(&self) -> Vec<(&'static str, Light)> {
        let mut high = [0; LIGHTS.len()];
        for _ in 0..TWO_FLASHES {
            for (count, (_, line)) in high.iter_mut().zip(LIGHTS) {
                *count += usize::from(self.lines.is_high(line));
            }
            pause(LOOK);
        }
        let light = |count| match count {
            0 => None,
            TWO_FLASHES => Some(Light::Steady),
            _ => Some(Light::Flashing),
        };
        LIGHTS.into_iter().zip(high).filter_map(|((name, _), count)| Some((name, light(count)?))).collect()
    }

    /// Somebody has seen it.
    pub(crate) fn press_acknowledge(&self) {
        self.lines.pull("WALL_ACK", true);
        pause(FINGER);
        self.lines.pull("WALL_ACK", false);
    }
}

impl Drop for Wall {
    fn drop(&mut self) {
        tell("wall", &self.daemon.log());
    }
}
