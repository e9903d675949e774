//! An appliance in a folder, a signer, and bundles; and one whose slots are real: systemd-sysupdate of Debian 13 writes
//! them in a namespace of its own, onto a disk in a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

pub(crate) const UUID: &str = "8a3f2b1c-0d4e-4f5a-9b6c-7d8e9f0a1b2c";

/// Somebody with a key.
pub(crate) struct Signer {
    home: TempDir,
}

impl Signer {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let signer = Self { home };
        signer.gpg(&[
            "--passphrase",
            "",
            "--quick-gen-key",
            "Onepress test <test@example.org>",
            "ed25519",
            "sign",
            "never",
        ]);
        signer.gpg(&["--output", signer.keys().to_str().expect("a path"), "--export"]);
        signer
    }

    /// The public keyring.
    pub(crate) fn keys(&self) -> PathBuf {
        self.home.path().join("image-keys.gpg")
    }

    fn gpg(&self, arguments: &[&str]) {
        let mut gpg = Command::new("gpg");
        gpg.args(["--batch", "--quiet", "--yes", "--homedir"]).arg(self.home.path()).args(arguments);
        let output = gpg.output().expect("gpg runs: tests/setup/trixie.sh installs it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// A bundle with these files, signed.
    pub(crate) fn bundle(&self, folder: &Path, name: &str, files: &[(String, Vec<u8>)]) -> PathBuf {
        let parts = folder.join(format!("{name}.parts"));
        fs::create_dir_all(&parts).expect("made");
        for (file, bytes) in files {
            fs::write(parts.join(file), bytes).expect("written");
        }
        let sums =
            Command::new("sha256sum").args(files.iter().map(|(file, _)| file)).current_dir(&parts).output();
        fs::write(parts.join("SHA256SUMS"), sums.expect("sha256sum runs").stdout).expect("written");
        let path = |file: &str| parts.join(file).display().to_string();
        self.gpg(&["--output", &path("SHA256SUMS.gpg"), "--detach-sign", &path("SHA256SUMS")]);
        let bundle = folder.join(format!("{name}.bundle"));
        let names =
            ["SHA256SUMS", "SHA256SUMS.gpg"].into_iter().chain(files.iter().map(|(file, _)| file.as_str()));
        tar(&parts, &bundle, names);
        bundle
    }
}

/// Packs files of a folder as an image build does.
pub(crate) fn tar<'a>(folder: &Path, archive: &Path, names: impl Iterator<Item = &'a str>) {
    let mut tar = Command::new("tar");
    tar.args(["--format=ustar", "--hard-dereference", "-cf"]).arg(archive).arg("-C").arg(folder).args(names);
    assert!(tar.status().expect("tar runs").success());
}

/// The files of an update; what is in them tells the version.
pub(crate) fn files(profile: &str, version: &str, ends: &[&str]) -> Vec<(String, Vec<u8>)> {
    let release = format!("{profile}_{version}");
    let mut uuid = UUID.to_owned();
    uuid.replace_range(..version.len().min(8), &version.replace('.', "0")[..version.len().min(8)]);
    let part =
        |name: &str, size| (format!("{release}_{uuid}.{name}.raw.xz"), xz(&content(version, name, size)));
    let mut files = vec![part("root", 3_000_000), part("verity", 100_000)];
    files.extend(ends.iter().map(|end| (format!("{release}{end}"), content(version, end, 50_000))));
    files
}

/// Bytes that no other version and part has.
pub(crate) fn content(version: &str, part: &str, size: usize) -> Vec<u8> {
    format!("{part} of {version}. ").into_bytes().into_iter().cycle().take(size).collect()
}

pub(crate) fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new("xz")
        .args(["-0", "--check=crc32"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("xz runs");
    let mut stdin = child.stdin.take().expect("piped");
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &bytes));
    let output = child.wait_with_output().expect("xz ends");
    writer.join().expect("joined").expect("written");
    output.stdout
}

/// An appliance in a folder.
pub(crate) struct Appliance {
    pub(crate) folder: TempDir,
    pub(crate) signer: Signer,
}

impl Appliance {
    /// Runs this version of this image; started by UEFI.
    pub(crate) fn new(profile: &str, version: &str) -> Self {
        let appliance = Self { folder: tempfile::tempdir().expect("a folder"), signer: Signer::new() };
        for folder in ["etc", "proc/sys/kernel/random", "run/onepress"] {
            fs::create_dir_all(appliance.at(folder)).expect("made");
        }
        appliance.becomes(profile, version, "boot-1");
        appliance
    }

    /// Another version was started.
    pub(crate) fn becomes(&self, profile: &str, version: &str, boot: &str) {
        let text = format!("ID=debian\nIMAGE_ID={profile}\nIMAGE_VERSION={version}\n");
        fs::write(self.at("etc/os-release"), text).expect("written");
        fs::write(self.at("proc/sys/kernel/random/boot_id"), boot).expect("written");
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// A place for what is not the appliance's.
    pub(crate) fn outside(&self) -> PathBuf {
        let outside = self.at("outside");
        fs::create_dir_all(&outside).expect("made");
        outside
    }

    /// `onepress update ...` here, with the signer's keys.
    pub(crate) fn update(&self, command: &str, arguments: &[&str]) -> Output {
        let mut onepress = Command::new(env!("CARGO_BIN_EXE_onepress"));
        onepress.args(["update", command, "--root"]).arg(self.folder.path()).args(arguments);
        if ["show", "apply", "incoming"].contains(&command) {
            onepress.arg("--keys").arg(self.signer.keys());
        }
        onepress.output().expect("onepress runs")
    }

    /// What is left of updates, names only.
    pub(crate) fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.at("var/lib/onepress/update")).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// What a command printed, both streams.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned()
}
