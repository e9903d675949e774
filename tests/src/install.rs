//! `make install` into a temporary directory, with stand-ins for the binaries.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// An installed tree; gone when dropped.
pub struct Installed {
    directory: TempDir,
}

/// The top of the working copy.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests crate lies in the workspace")
}

/// Runs a command to its end; what it printed, both streams in one.
///
/// # Panics
/// If it cannot be started.
pub fn output(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// The names of the programs that the workspace builds, as cargo knows them.
///
/// # Panics
/// If cargo does not answer.
#[must_use]
pub fn programs() -> Vec<String> {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(workspace())
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).expect("cargo metadata");
    let packages = metadata["packages"].as_array().expect("packages");
    let targets = packages.iter().flat_map(|package| package["targets"].as_array().expect("targets"));
    targets
        .filter(|target| target["kind"][0] == "bin")
        .map(|target| target["name"].as_str().expect("a name").to_owned())
        .collect()
}

impl Installed {
    /// Installs everything. The binaries are empty scripts: building them takes minutes and shows nothing here.
    ///
    /// # Panics
    /// If the install target fails.
    #[must_use]
    pub fn new() -> Self {
        let installed = Self { directory: tempfile::tempdir().expect("temporary directory") };
        let built = installed.directory.path().join("built");
        std::fs::create_dir(&built).expect("made");
        for program in installed_programs() {
            std::fs::write(built.join(program), "#!/bin/sh\n").expect("written");
        }
        installed.again(&[]);
        installed
    }

    /// Installs over what is there, with these variables of `install.mk` replaced: `NAME=value`.
    ///
    /// # Panics
    /// If the install target fails.
    pub fn again(&self, variables: &[String]) {
        let mut make = Command::new("make");
        make.args(["--silent", "-f", "install.mk", "install"]).current_dir(workspace());
        make.arg(format!("DESTDIR={}", self.root().display()));
        make.arg(format!("BUILT={}", self.directory.path().join("built").display()));
        let (good, said) = output(make.args(variables));
        assert!(good, "make install: {said}");
    }

    /// What became `/`.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// A file or directory of the tree by its final path: `/usr/bin/onepress`.
    #[must_use]
    pub fn at(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    /// Files of a directory of the tree whose name ends in `ending`, in order.
    ///
    /// # Panics
    /// If there is no such directory.
    #[must_use]
    pub fn files(&self, directory: &str, ending: &str) -> Vec<PathBuf> {
        let entries =
            std::fs::read_dir(self.at(directory)).unwrap_or_else(|error| panic!("{directory}: {error}"));
        let paths = entries.map(|entry| entry.expect("entry").path());
        let mut files: Vec<_> = paths.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
        files.sort();
        files
    }
}

/// The names that `install.mk` has.
fn installed_programs() -> Vec<String> {
    let mut make = Command::new("make");
    make.args(["--silent", "-f", "install.mk", "--eval=names: ; @echo $(INSTALLED_BINARIES)", "names"]);
    let (good, said) = output(make.current_dir(workspace()));
    assert!(good, "{said}");
    said.split_whitespace().map(str::to_owned).collect()
}

impl Default for Installed {
    fn default() -> Self {
        Self::new()
    }
}
