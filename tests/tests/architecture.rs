//! The arrows of the architecture, as cargo knows them: who may name whom.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use onepress_tests::install::workspace;
use serde_json::Value;

/// What each crate of ours may name of ours. A crate that is not here has not been thought about.
const ARROWS: &[(&str, &[&str])] = &[
    ("alarm", &[]),
    ("hw", &[]),
    ("unit", &[]),
    ("seal", &[]),
    ("journal", &["alarm", "seal"]),
    ("link", &["alarm", "seal"]),
    ("bundle", &["alarm"]),
    ("media", &[]),
    ("button", &["alarm", "bundle", "hw", "link", "unit"]),
    ("desk", &["alarm", "bundle", "journal", "link", "unit"]),
    ("wall", &["alarm", "hw", "link", "unit"]),
    ("camera", &["alarm", "link", "media", "unit"]),
    ("relay", &["alarm", "link", "media", "unit"]),
    ("onepress", &["alarm", "bundle", "hw", "journal", "link", "unit"]),
];

/// Crates from elsewhere that one crate of ours hides from all others; tests may know them.
const HIDDEN: &[(&str, &str)] = &[
    ("sd-notify", "unit"),
    ("quinn-proto", "link"),
    ("gpiocdev", "hw"),
    ("rppal", "hw"),
    ("serialport", "hw"),
    ("rusqlite", "journal"),
    ("moq-net", "media"),
    ("moq-mux", "media"),
    ("hang", "media"),
    ("qmux", "media"),
    ("web-transport-quinn", "media"),
    ("retina", "camera"),
];

/// Who may name the QUIC library: the two planes and the daemons at the ends of the media plane.
const QUIC: (&str, &[&str]) = ("quinn", &["camera", "link", "media", "relay"]);

/// What the pure crate must never reach, however far away.
const IMPURE: &[&str] = &["tokio", "quinn", "rusqlite", "rustix", "socket2", "mio", "getrandom"];

/// The crate of the whole-system tests, which may name everything; fuzz targets and the like are not members.
const TESTS: &str = "onepress-tests";

/// Longest source file, in lines: the median is below two hundred.
const LINES_MAX: usize = 500;

/// Longer files, each with its reason: there is none.
const LONG: &[(&str, &str)] = &[];

#[test]
fn crates_of_ours_name_only_whom_they_may() {
    let workspace = Workspace::read();
    for name in workspace.members() {
        let named = workspace.direct(name, Shipped).into_iter().filter(|other| workspace.is_ours(other));
        let named: BTreeSet<_> = named.collect();
        let Some((_, may)) = ARROWS.iter().find(|(from, _)| *from == name) else {
            panic!("{name} is not in the table of arrows: say there what it may name");
        };
        let may: BTreeSet<_> = may.iter().map(|name| (*name).to_owned()).collect();
        assert!(named.is_subset(&may), "{name} names {named:?} and may name {may:?}");
    }
}

#[test]
fn tests_of_a_crate_of_ours_reach_no_further_than_the_crate() {
    let workspace = Workspace::read();
    for (name, may) in ARROWS.iter().filter(|(name, _)| workspace.members().any(|member| member == *name)) {
        let named = workspace.direct(name, ForTests).into_iter().filter(|other| workspace.is_ours(other));
        let beyond: Vec<_> = named.filter(|other| !may.contains(&other.as_str()) && other != name).collect();
        assert!(
            beyond.is_empty(),
            "the tests of {name} name {beyond:?}: a test across crates belongs in tests/"
        );
    }
}

#[test]
fn what_one_crate_hides_no_other_names() {
    let workspace = Workspace::read();
    for (hidden, by) in HIDDEN {
        let naming: Vec<_> =
            workspace.members().filter(|name| workspace.direct(name, Shipped).contains(*hidden)).collect();
        assert_eq!(naming, [*by], "only {by} names {hidden}");
    }
    let (quic, by) = QUIC;
    let naming: Vec<_> =
        workspace.members().filter(|name| workspace.direct(name, Shipped).contains(quic)).collect();
    assert_eq!(naming, by, "who names {quic}");
}

#[test]
fn the_pure_crate_reaches_nothing_that_blocks_or_asks_the_kernel() {
    let workspace = Workspace::read();
    let reached = workspace.reached("alarm");
    let impure: Vec<_> = IMPURE.iter().filter(|name| reached.contains(**name)).collect();
    assert!(impure.is_empty(), "alarm reaches {impure:?}");
    assert!(reached.contains("serde_json"), "the walk itself works");
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    for manifest in Workspace::read().manifests() {
        let text = read(&manifest);
        let inherits = text.lines().skip_while(|line| line.trim() != "[lints]").nth(1);
        assert_eq!(inherits.map(str::trim), Some("workspace = true"), "[lints] of {}", manifest.display());
    }
}

#[test]
fn no_source_file_is_longer_than_anybody_reads() {
    let mut unused: BTreeSet<_> = LONG.iter().map(|(file, _)| *file).collect();
    for file in sources(workspace()) {
        let name = file.strip_prefix(workspace()).expect("in the workspace").display().to_string();
        let lines = read(&file).lines().count();
        if lines > LINES_MAX {
            assert!(
                unused.remove(name.as_str()),
                "{name} has {lines} lines: split it, or say in LONG why not"
            );
        }
    }
    assert!(unused.is_empty(), "no longer long: {unused:?}");
}

/// The kinds of dependencies that are looked at.
#[derive(Clone, Copy)]
enum Kind {
    Shipped,
    ForTests,
}
use Kind::{ForTests, Shipped};

struct Workspace {
    names: BTreeMap<String, String>,
    members: BTreeMap<String, String>,
    nodes: BTreeMap<String, Value>,
    manifests: Vec<PathBuf>,
}

impl Workspace {
    fn read() -> Self {
        // Only what is built here has been fetched.
        let here = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--offline", "--locked", "--all-features", "--format-version=1"])
            .args(["--filter-platform", &here])
            .current_dir(workspace())
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        let all: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata speaks JSON");
        let packages = || list(&all["packages"]);
        let ours: BTreeSet<_> = list(&all["workspace_members"]).map(text).collect();
        let is_ours = |package: &&Value| ours.contains(&text(&package["id"]));
        let pair = |package: &Value| (text(&package["name"]), text(&package["id"]));
        Self {
            names: packages().map(pair).map(|(name, id)| (id, name)).collect(),
            members: packages().filter(is_ours).map(pair).collect(),
            nodes: list(&all["resolve"]["nodes"]).map(|node| (text(&node["id"]), node.clone())).collect(),
            manifests: packages()
                .filter(is_ours)
                .map(|package| text(&package["manifest_path"]).into())
                .collect(),
        }
    }

    /// All but the tests across crates.
    fn members(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str).filter(|name| *name != TESTS)
    }

    fn manifests(self) -> Vec<PathBuf> {
        self.manifests
    }

    fn is_ours(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Names of direct dependencies; build scripts count as shipped.
    fn direct(&self, name: &str, kind: Kind) -> BTreeSet<String> {
        self.edges(&self.members[name], kind).map(|id| self.names[&id].clone()).collect()
    }

    fn edges(&self, id: &str, kind: Kind) -> impl Iterator<Item = String> {
        let wanted = move |dependency: &&Value| {
            list(&dependency["dep_kinds"]).any(|of| match kind {
                Kind::Shipped => of["kind"] != "dev",
                Kind::ForTests => of["kind"] == "dev",
            })
        };
        list(&self.nodes[id]["deps"]).filter(wanted).map(|dependency| text(&dependency["pkg"]))
    }

    /// Names of everything that a crate needs, directly or not.
    fn reached(&self, name: &str) -> BTreeSet<String> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![self.members[name].clone()]);
        while let Some(id) = open.pop() {
            open.extend(self.edges(&id, Shipped).filter(|next| seen.insert(next.clone())));
        }
        seen.iter().map(|id| self.names[id].clone()).collect()
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().expect("a list").iter()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Every Rust file of the working copy, what is built and fetched aside.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let skipped =
            name.starts_with('.') || ["target", "node_modules", "dist", "artefacts"].contains(&name.as_str());
        if path.is_dir() && !skipped {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
