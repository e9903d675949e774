//! Namespaces without a name: they last as long as a process that sits in them, and that as long as this one.
//! Nothing is left on the machine, also after a panic or a kill.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A process in namespaces of its own.
pub struct Keeper {
    child: Child,
}

impl Keeper {
    /// New namespaces of these kinds, as `unshare` names them; the script prepares them.
    ///
    /// # Panics
    /// If the machine does not let us: it takes root.
    #[must_use]
    pub fn start(kinds: &[&str], script: &str) -> Self {
        let mut command = Command::new("unshare");
        command.args(kinds).args([
            "sh",
            "-c",
            &format!("set -eu\n{script}\necho ready\nexec cat >/dev/null"),
        ]);
        // The process ends when the pipe does, and the pipe ends with us.
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("util-linux has `unshare`");
        let mut said = String::new();
        let read = BufReader::new(child.stdout.take().expect("piped")).read_line(&mut said);
        assert!(read.is_ok() && said == "ready\n", "no namespaces {kinds:?}: are we root? ({said:?})");
        Self { child }
    }

    /// One of its namespaces: `net`, `mnt`.
    #[must_use]
    pub fn space(&self, kind: &str) -> PathBuf {
        format!("/proc/{}/ns/{kind}", self.child.id()).into()
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// This thread, and whatever it starts from now on, is in its network.
    ///
    /// # Panics
    /// If the kernel does not let us.
    pub fn enter_network(&self) {
        enter_network(&self.space("net"));
    }
}

/// This thread, and whatever it starts from now on, is in this network.
///
/// # Panics
/// If the kernel does not let us.
pub fn enter_network(space: &Path) {
    use std::os::fd::AsFd;
    let space = File::open(space).expect("opened");
    move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may");
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file system in memory that can be full.
pub struct SmallDisk {
    keeper: Keeper,
    mounted: PathBuf,
}

impl SmallDisk {
    /// A disk of so many KiB, seen at [`SmallDisk::path`] from everywhere and at `at`, an empty folder, from inside.
    ///
    /// # Panics
    /// If it cannot be mounted.
    #[must_use]
    pub fn mount(at: &Path, kib: u32) -> Self {
        std::fs::create_dir_all(at).expect("made");
        let script = format!("mount -t tmpfs -o size={kib}k none {}", at.display());
        Self { keeper: Keeper::start(&["--mount"], &script), mounted: at.to_owned() }
    }

    /// The disk, for us and for those inside.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let inside = self.mounted.strip_prefix("/").expect("an absolute path");
        Path::new(&format!("/proc/{}/root", self.keeper.id())).join(inside)
    }

    /// What a program inside is started through: SQLite follows links by itself and would end up outside.
    #[must_use]
    pub fn inside(&self) -> [String; 3] {
        ["nsenter".into(), format!("--mount={}", self.keeper.space("mnt").display()), "--".into()]
    }

    /// Not a byte is left. What was taken before stays taken.
    ///
    /// # Panics
    /// If it fails in another way than by being full.
    pub fn fill(&self) {
        let path = self.path().join("filler");
        let mut file = File::options().create(true).append(true).open(&path).expect("opened");
        for chunk in [64 * 1024, 4096, 1] {
            loop {
                match file.write_all(&vec![0; chunk]) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("{}: {error}", path.display()),
                }
            }
        }
    }

    /// There is room again.
    ///
    /// # Panics
    /// If it was never full.
    pub fn free(&self) {
        std::fs::remove_file(self.path().join("filler")).expect("it was full");
    }
}
