//! The facts, and how they are judged.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Something that has to be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What was looked at, `onepress-button.service`.
    pub what: String,
    /// Which of its lives this is: changes when a daemon was started again.
    pub life: String,
    /// Why it is not so; none when it is.
    pub wrong: Option<String>,
}

/// What a control socket answered, or why it did not.
pub type Asked = Result<Value, String>;

/// The machine that is looked at.
pub trait Machine {
    /// Properties of a unit, as systemd names them; why not, when systemd does not tell.
    ///
    /// # Errors
    /// Why systemd does not tell.
    fn unit(&self, name: &str) -> Result<BTreeMap<String, String>, String>;
    /// How the daemon behind a control socket is.
    fn ask(&self, socket: &Path) -> Asked;
    /// A file can be written and is on the disk, where journal, spool and recordings are.
    ///
    /// # Errors
    /// Why not.
    fn write(&self) -> Result<(), String>;
}

/// What a role starts besides its daemons: this judgement and what follows from it. They are not among the facts, for
/// they wait for them.
const JUDGES: [&str; 2] = ["onepress-health.", "onepress-update"];

/// All facts of a role, `edge` or `rack`.
pub fn facts(machine: &impl Machine, role: &str) -> Vec<Fact> {
    let target = format!("onepress-{role}.target");
    let wanted = match machine.unit(&target) {
        Ok(unit) => unit.get("Wants").cloned().unwrap_or_default(),
        Err(error) => return vec![fact(&target, Some(error))],
    };
    let ours =
        |name: &&str| name.starts_with("onepress-") && !JUDGES.iter().any(|judge| name.starts_with(judge));
    let mut names: Vec<_> = wanted.split_whitespace().filter(ours).collect();
    names.sort_unstable();
    if !names.iter().any(|name| name.ends_with(".service")) {
        return vec![fact(&target, Some("it starts no daemon: is it installed?".into()))];
    }
    let services = names.iter().filter(|name| name.ends_with(".service")).map(|name| service(machine, name));
    let sockets = names.iter().filter(|name| name.ends_with("-control.socket"));
    let answers = sockets.flat_map(|name| control(machine, name));
    let disk = fact("/var/lib/onepress", machine.write().err());
    services.chain(answers).chain([disk]).collect()
}

fn fact(what: &str, wrong: Option<String>) -> Fact {
    Fact { what: what.to_owned(), life: String::new(), wrong }
}

/// A daemon says that it is ready when it has read its inputs and opened its journal, and systemd kills it when it no
/// longer makes progress: that it is active is worth something.
fn service(machine: &impl Machine, name: &str) -> Fact {
    let unit = match machine.unit(name) {
        Ok(unit) => unit,
        Err(error) => return fact(name, Some(error)),
    };
    let of = |key: &str| unit.get(key).map_or("unknown", String::as_str);
    let wrong = (of("ActiveState") != "active").then(|| {
        format!(
            "it is {} ({}, last end: {}): see journalctl -u {name}",
            of("ActiveState"),
            of("SubState"),
            of("Result")
        )
    });
    Fact { what: name.to_owned(), life: of("MainPID").to_owned(), wrong }
}

/// The daemon behind a control socket answers; where it tells of inputs, they are read; its identity can be used.
fn control(machine: &impl Machine, name: &str) -> Vec<Fact> {
    let listens = machine.unit(name).map(|unit| unit.get("Listen").cloned().unwrap_or_default());
    let path = match &listens {
        Ok(listens) => listens.split(' ').next().filter(|path| path.starts_with('/')),
        Err(error) => return vec![fact(name, Some(error.clone()))],
    };
    let Some(path) = path else { return vec![fact(name, Some("it listens nowhere".into()))] };
    match machine.ask(Path::new(path)) {
        Err(error) => vec![fact(path, Some(error))],
        Ok(status) => {
            let points = status.get("points").and_then(Value::as_array);
            let inputs = points.map(|points| fact("inputs", inputs(points)));
            let unusable = status.get("unusable").and_then(Value::as_str);
            let identity = unusable.map(|why| fact("identity", Some(why.to_owned())));
            [fact(path, None)].into_iter().chain(inputs).chain(identity).collect()
        }
    }
}

/// A wire that is cut is a fault of the site. No input at all that can be read is one of the software, or of the device
/// that all hang on; and so is one that has not been read.
fn inputs(points: &[Value]) -> Option<String> {
    let named = |state: &str| {
        let of_state = points.iter().filter(|point| point["state"] == state);
        of_state.map(|point| point["point"].as_str().unwrap_or("?")).collect::<Vec<_>>()
    };
    let (unread, faulty) = (named("unknown"), named("faulty"));
    if !unread.is_empty() {
        return Some(format!("not read yet: {}", unread.join(", ")));
    }
    let none = !points.is_empty() && faulty.len() == points.len();
    none.then(|| format!("none can be read: {}", faulty.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A box with a button daemon and a camera daemon.
    struct Played {
        state: &'static str,
        points: Value,
        unusable: Option<&'static str>,
        camera: Asked,
        disk: Result<(), String>,
    }

    impl Played {
        fn well() -> Self {
            let points = json!([{"point": "gate", "state": "rest"}, {"point": "desk", "state": "faulty"}]);
            Self { state: "active", points, unusable: None, camera: Ok(json!({})), disk: Ok(()) }
        }
    }

    impl Machine for Played {
        fn unit(&self, name: &str) -> Result<BTreeMap<String, String>, String> {
            let pairs: &[(&str, &str)] = match name {
                "onepress-edge.target" => &[(
                    "Wants",
                    "onepress-camera.service onepress-button.service onepress-button-control.socket \
                     onepress-camera-control.socket time-set.target onepress-health.service \
                     onepress-update-settle.service onepress-update.path",
                )],
                "onepress-button-control.socket" => &[("Listen", "/run/onepress/button.sock (Stream)")],
                "onepress-camera-control.socket" => &[("Listen", "/run/onepress/camera.sock (Stream)")],
                "onepress-button.service" => {
                    &[("ActiveState", self.state), ("SubState", "auto-restart"), ("Result", "exit-code")]
                }
                "onepress-camera.service" => &[("ActiveState", "active"), ("MainPID", "7")],
                "onepress-rack.target" => &[("Wants", "")],
                _ => return Err(format!("no unit {name}")),
            };
            Ok(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
        }

        fn ask(&self, socket: &Path) -> Asked {
            match socket.to_str() {
                Some("/run/onepress/button.sock") => {
                    Ok(json!({ "points": self.points, "unusable": self.unusable }))
                }
                _ => self.camera.clone(),
            }
        }

        fn write(&self) -> Result<(), String> {
            self.disk.clone()
        }
    }

    fn wrong(machine: &Played, role: &str) -> Vec<String> {
        let wrong = facts(machine, role).into_iter().filter_map(|fact| Some((fact.what, fact.wrong?)));
        wrong.map(|(what, wrong)| format!("{what}: {wrong}")).collect()
    }

    #[test]
    fn a_box_that_does_its_work_is_well_though_one_wire_is_cut() {
        assert_eq!(wrong(&Played::well(), "edge"), [""; 0]);
        let looked: Vec<_> = facts(&Played::well(), "edge").into_iter().map(|fact| fact.what).collect();
        let all = [
            "onepress-button.service",
            "onepress-camera.service",
            "/run/onepress/button.sock",
            "inputs",
            "/run/onepress/camera.sock",
            "/var/lib/onepress",
        ];
        assert_eq!(looked, all);
    }

    #[test]
    fn each_fault_is_named_by_itself() {
        let well = Played::well;
        let faulty = json!([{"point": "gate", "state": "faulty"}]);
        let unread = json!([{"point": "gate", "state": "unknown"}, {"point": "desk", "state": "rest"}]);
        let table = [
            (
                Played { state: "activating", ..well() },
                "onepress-button.service: it is activating (auto-restart",
            ),
            (Played { points: faulty, ..well() }, "inputs: none can be read: gate"),
            (Played { points: unread, ..well() }, "inputs: not read yet: gate"),
            (Played { camera: Err("refused".into()), ..well() }, "/run/onepress/camera.sock: refused"),
            (Played { disk: Err("full".into()), ..well() }, "/var/lib/onepress: full"),
            (Played { unusable: Some("it is sealed"), ..well() }, "identity: it is sealed"),
        ];
        for (machine, told) in table {
            let wrong = wrong(&machine, "edge");
            assert!(wrong.len() == 1 && wrong[0].starts_with(told), "{wrong:?}: {told}");
        }
    }

    #[test]
    fn a_machine_without_the_role_is_not_well() {
        assert!(wrong(&Played::well(), "rack")[0].contains("starts no daemon"));
        assert!(wrong(&Played::well(), "lamp")[0].contains("no unit"));
    }
}
